"""An index for uv, and a cache for Debian."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.data_folders import share_downloads
from tests.support.package_index import Index, serve


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with serve() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        index.add("base", "1.0")
        index.add("extra", "1.0")
        yield index


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose cache the tests of this session share; Debian's indices are even kept for the next one."""
    folder = tmp_path_factory.mktemp("debian")
    share_downloads(folder / "cache")
    return folder
