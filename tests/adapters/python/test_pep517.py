"""What a source needs to be built is read from it, and nothing of it is run."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.python import pep517
from pycomfy.adapters.python.pep517 import LEGACY, build_requires, read_pyproject
from pycomfy.errors import BadInput

TEXT = '[build-system]\nrequires = ["hatchling>=1", "x; python_version<\'3\'"]\n'


def tarball(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def test_what_building_requires_is_what_it_says_or_setuptools() -> None:
    assert build_requires(TEXT, "x") == ("hatchling>=1", 'x; python_version < "3"')
    assert build_requires("", "x") == LEGACY and build_requires("[project]\nname = 'x'", "x") == LEGACY


@pytest.mark.parametrize(
    "text",
    ["[", "[build-system]", "[build-system]\nrequires = 3", '[build-system]\nrequires = ["x @ file:///etc"]', "a=" * 9],
)
def test_a_strange_pyproject_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"demo 1: its pyproject\.toml"):
        build_requires(text, "demo 1")


def test_pyproject_is_read_from_archives(tmp_path: Path) -> None:
    files = {"x-1/sub/pyproject.toml": b"sub", "x-1/a.py": b"", "x-1/pyproject.toml": TEXT.encode()}
    one = tarball(tmp_path / "x.tar.gz", files)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as z:
        for name, data in files.items():
            z.writestr(name, data)
    for archive in (one, tmp_path / "x.zip"):
        assert read_pyproject(archive, None, "x") == TEXT
        assert read_pyproject(archive, "sub", "x") == "sub"
        assert read_pyproject(archive, "other", "x") == ""


def test_what_is_no_archive_or_endless_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"a source")
    with pytest.raises(BadInput, match="cannot be read"):
        read_pyproject(tmp_path / "x", None, "x")
    monkeypatch.setattr(pep517, "MAX_FILES", 2)
    many = tarball(tmp_path / "many.tar.gz", {f"x/{n}": b"" for n in range(4)})
    with pytest.raises(BadInput, match="more than 2 files"):
        read_pyproject(many, None, "x")
