"""What is watched for a workflow."""

from pathlib import Path

import pytest

from pycomfy.errors import BadInput
from pycomfy.services.dev.watched import find_watched

CONFIG = """
[comfyui]
path = "../comfyui"

[packs.mine]
path = "packs/mine"

[packs.other]
git = "https://x.test/other"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "portrait"
    for path in ("packs/mine/js", "packs/mine/.git/objects", "packs/mine/__pycache__", "output/pictures", "../comfyui"):
        (folder / path).mkdir(parents=True)
    (folder / "workflow.json").write_text("{}")
    (folder / "pycomfy.toml").write_text(CONFIG)
    return folder


def test_the_workflow_its_configuration_and_local_folders_are_watched(folder: Path) -> None:
    watched = find_watched(folder)
    assert watched.files == {folder / "workflow.json", folder / "pycomfy.toml"}
    assert watched.trees == (folder.parent / "comfyui", folder / "packs" / "mine")
    mine = folder / "packs" / "mine"
    assert watched.list_folders() == {folder, folder.parent / "comfyui", mine, mine / "js"}


def test_what_is_made_beside_a_workflow_does_not_concern_it(folder: Path) -> None:
    watched = find_watched(folder)
    assert watched.concerns([folder / "packs/mine/js/new.js"]) and watched.concerns([folder / "pycomfy.toml"])
    assert not watched.concerns([folder / "pycomfy.lock", folder / "output", folder / "packs/minute"])


def test_a_configuration_that_is_being_written_is_watched(folder: Path) -> None:
    (folder / "pycomfy.toml").write_text("[packs")
    watched = find_watched(folder)
    assert folder / "pycomfy.toml" in watched.files and watched.list_folders() == {folder}


def test_a_pack_that_comes_later_comes_with_the_configuration(folder: Path) -> None:
    (folder / "pycomfy.toml").unlink()
    watched = find_watched(folder / "workflow.json")
    assert watched.concerns([folder / "pycomfy.toml"]) and not watched.trees


def test_a_folder_of_several_workflows_is_none(folder: Path) -> None:
    for name in ("workflow.json", "second.json"):
        (folder / name).write_text('{"nodes": [], "links": [], "version": 0.4}')
    (folder / "workflow.json").rename(folder / "first.json")
    with pytest.raises(BadInput):
        find_watched(folder)
