from pathlib import Path

import pytest

from pycomfy.adapters.capture.locate import find_python, find_root
from pycomfy.adapters.capture.packages import read_packages
from pycomfy.errors import BadInput, NotFound
from tests.support.installations import add_package, make_venv


def comfyui(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("main.py", "nodes.py"):
        (folder / name).write_text("")
    return folder


def test_comfyui_is_the_folder_or_in_it(tmp_path: Path) -> None:
    root = comfyui(tmp_path / "portable" / "ComfyUI")
    assert find_root(root) == find_root(tmp_path / "portable") == root
    with pytest.raises(NotFound):
        find_root(tmp_path)


@pytest.mark.parametrize("name", [".venv", "venv", "../.venv", "../venv", "../python_embeded"])
def test_an_environment_is_found_in_or_beside_it(tmp_path: Path, name: str) -> None:
    root = comfyui(tmp_path / "ComfyUI")
    site = make_venv(root / name, "3.12.4")
    found = find_python([root])
    assert found is not None and found.version == "3.12.4" and [s.resolve() for s in found.sites] == [site.resolve()]


def test_a_portable_windows_python_is_read(tmp_path: Path) -> None:
    root = comfyui(tmp_path / "portable" / "ComfyUI")
    python = tmp_path / "portable" / "python_embeded"
    add_package(python / "Lib" / "site-packages", "six", "1.17.0")
    (python / "python.exe").write_text("")
    (python / "python312._pth").write_text("")
    found = find_python([root])
    assert found is not None and (found.version, found.kind) == ("3.12", "Python")
    assert [p.name for p in read_packages(found).installed] == ["six"]


def test_a_named_environment_is_its_folder_its_program_or_its_packages(tmp_path: Path) -> None:
    root = comfyui(tmp_path / "ComfyUI")
    site = make_venv(tmp_path / "env" / "mine")
    add_package(site, "six", "1.17.0")
    for given in (tmp_path / "env" / "mine", tmp_path / "env" / "mine" / "bin" / "python", site):
        found = find_python([root], given)
        assert found is not None and [p.name for p in read_packages(found).installed] == ["six"], given
    assert find_python([root]) is None
    with pytest.raises(BadInput):
        find_python([root], tmp_path)


def test_conda_tells_its_python(tmp_path: Path) -> None:
    root = comfyui(tmp_path / "ComfyUI")
    prefix = tmp_path / "conda"
    add_package(prefix / "lib" / "python3.11" / "site-packages", "six", "1.17.0")
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "python-3.11.9-h955ad1f_0.json").write_text("{}")
    found = find_python([root], prefix)
    assert found is not None and (found.version, found.kind) == ("3.11.9", "conda")
    assert any("conda packages" in note for note in read_packages(found).notes)


def test_of_two_leftovers_the_complete_one_counts_and_malformed_ones_are_noted(tmp_path: Path) -> None:
    root = comfyui(tmp_path / "ComfyUI")
    site = make_venv(root / "venv")
    add_package(site, "six", "1.17.0")
    add_package(site, "six", "1.9.0")
    (site / "six-1.9.0.dist-info" / "RECORD").unlink()
    (site / "broken-1.dist-info").mkdir()
    (site / "~ix-1.0.dist-info").mkdir()
    (site / "old-1.0.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.0\n")
    (site / "pipe-1.dist-info").mkdir()
    (site / "huge-1.dist-info").mkdir()
    with (site / "huge-1.dist-info" / "METADATA").open("wb") as f:
        f.truncate(100 << 20)
    found = find_python([root])
    assert found is not None
    packages = read_packages(found)
    assert [(p.name, p.version) for p in packages.installed] == [("old", "1.0"), ("six", "1.17.0")]
    assert len([n for n in packages.notes if "no valid metadata" in n]) == 3
