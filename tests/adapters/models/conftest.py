from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.io import http_client
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.store import ModelStore
from tests.support.model_hub import Site, serve

LOGINS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CIVITAI_TOKEN", "CIVITAI_API_TOKEN", "HF_ENDPOINT")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The hubs; nothing of this machine's logins and proxies, and no long pauses."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", *LOGINS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(http_client, "PAUSE", 0.001)
    with serve() as site:
        monkeypatch.setenv("PYCOMFY_HF_ENDPOINT", site.hub)
        monkeypatch.setenv("PYCOMFY_CIVITAI_ENDPOINT", site.civitai)
        yield site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


@pytest.fixture
def store(paths: Paths) -> ModelStore:
    return ModelStore(paths)
