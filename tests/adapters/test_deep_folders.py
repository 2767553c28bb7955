"""Folders of models and of node packs that are nested deep, or whose links lead back."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.models import folder as models_folder
from pycomfy.adapters.models.folder import find_in_folder, find_models
from pycomfy.adapters.sources.local_folder import copy_code, walk_code
from pycomfy.errors import BadInput


def nest(folder: Path, levels: int) -> Path:
    """Make folders in each other; return the innermost, by a path from `folder`."""
    path = folder.joinpath(*["d"] * levels)
    subprocess.run(["mkdir", "-p", path], check=True)  # `Path.mkdir` is recursive
    return path


@pytest.fixture
def remove(tmp_path: Path) -> Iterator[None]:
    """Folders that are too deep for `shutil.rmtree`."""
    yield
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)


@pytest.mark.usefixtures("remove")
def test_a_model_a_thousand_levels_deep_is_found(tmp_path: Path) -> None:
    (nest(tmp_path / "loras", 1500) / "x.safetensors").touch()
    assert [relative for relative, _ in find_models(tmp_path)] == ["loras/" + "d/" * 1500 + "x.safetensors"]


def test_links_that_lead_back_end_nowhere(tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    (loras / "a").mkdir(parents=True)
    (loras / "b").mkdir()
    (loras / "a" / "x.safetensors").touch()
    for name, target in (
        ("a/up", ".."),
        ("a/self", "."),
        ("a/b", "../b"),
        ("b/a", "../a"),
        ("loop", "loop"),
        ("gone", "no"),
    ):
        (loras / name).symlink_to(target)
    found = [relative for relative, _ in find_in_folder(loras)]
    assert found == ["a/x.safetensors", "b/a/x.safetensors"]


def test_folders_with_links_to_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_folder, "MAX_FOLDERS", 1000)
    names = [f"f{n}" for n in range(12)]
    for name in names:
        (tmp_path / name).mkdir()
        for other in names:
            (tmp_path / name / other).symlink_to(tmp_path / other)
    with pytest.raises(BadInput, match="more than 1,000 folders"):
        list(find_models(tmp_path))


@pytest.mark.usefixtures("remove")
@pytest.mark.parametrize(
    "use",
    [lambda pack, out: list(walk_code(pack)), lambda pack, out: copy_code(pack, out, "the node pack x")],
    ids=["read", "copied"],
)
def test_a_node_pack_a_thousand_levels_deep_is_refused(tmp_path: Path, use: Callable[[Path, Path], object]) -> None:
    nest(tmp_path / "pack", 1500)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInput, match="nested more than 200 deep"):
        use(tmp_path / "pack", tmp_path / "out")


def test_a_node_pack_is_listed_in_order_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    for name in ("b/c/x.py", "a.py", "b/a.py", "b/__pycache__/a.pyc", ".git/config", "z.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "b" / "link").symlink_to("..")
    listed = [path.relative_to(tmp_path).as_posix() for path in walk_code(tmp_path)]
    assert listed == ["a.py", "b", "b/a.py", "b/c", "b/c/x.py", "b/link", "z.py"]
