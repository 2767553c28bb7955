"""Files that no node spoke of are found by the times of their folders."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.jobs.leftovers import remove_strays
from pycomfy.gateway.jobs.outputs import MAX_DEPTH, OutputFolder


def look(folder: OutputFolder) -> list[Path]:
    return asyncio.run(folder.look())


def test_new_files_are_found_also_in_folders_that_were_made_since(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    (tmp_path / "old.png").touch()
    assert look(folder) == [tmp_path / "old.png"]
    (tmp_path / "new.png").touch()
    (tmp_path / "below" / "deep").mkdir(parents=True)
    (tmp_path / "below" / "deep" / "new.txt").touch()
    assert look(folder) == [tmp_path / "below" / "deep" / "new.txt", tmp_path / "new.png"]
    assert look(folder) == []


def test_a_file_made_in_the_moment_of_the_listing_before_is_found(tmp_path: Path) -> None:
    """Then the folder has the same time."""
    folder = OutputFolder(tmp_path)
    (tmp_path / "old.png").touch()
    look(folder)
    before = tmp_path.stat()
    (tmp_path / "new.png").touch()
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert look(folder) == [tmp_path / "new.png"]


def test_a_file_that_goes_and_comes_again_is_new(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    path = tmp_path / "a.png"
    path.touch()
    look(folder)
    path.unlink()
    assert look(folder) == []
    path.touch()
    assert look(folder) == [path]


def test_folders_without_end_below_one_another_keep_nothing_from_being_found(tmp_path: Path) -> None:
    """A caller names folders by the beginning of a file's name."""
    folder = OutputFolder(tmp_path)
    assert look(folder) == []
    for depth in range(1, 1801):
        Path(f"{tmp_path}{'/a' * depth}").mkdir()
    below = Path(f"{tmp_path}{'/a' * 1800}")
    deep = tmp_path.joinpath(*"a" * MAX_DEPTH, "deep.png")
    for path in (deep, tmp_path / "new.png", below / "too_deep.png"):
        path.touch()
    assert look(folder) == [deep, tmp_path / "new.png"]
    assert look(folder) == []
    remove_strays([below / "too_deep.png", deep], tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "new.png"]


def test_a_folder_that_is_closed_keeps_nothing_from_being_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: Path) -> Any:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    folder = OutputFolder(tmp_path)
    assert look(folder) == []
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "in.png").touch()
    (tmp_path / "new.png").touch()
    with monkeypatch.context() as patch:  # root may list every folder
        patch.setattr(os, "scandir", refuse)
        assert look(folder) == [tmp_path / "new.png"]
    assert look(folder) == [tmp_path / "closed" / "in.png"]


def test_a_folder_that_goes_while_it_is_looked_at_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "new.png").touch()
    scan = os.scandir

    def go_first(path: Path) -> Any:
        if path.name == "gone":
            path.rmdir()
        return scan(path)

    monkeypatch.setattr(os, "scandir", go_first)
    assert look(OutputFolder(tmp_path)) == [tmp_path / "new.png"]


def test_folders_that_were_made_for_nothing_go(tmp_path: Path) -> None:
    """A name that is too long fails a node when the folders before it are made."""
    folder = OutputFolder(tmp_path)
    (tmp_path / "old").mkdir()
    look(folder)
    (tmp_path / "full" / "empty").mkdir(parents=True)
    (tmp_path / "full" / "a.png").touch()
    for depth in range(1, 901):
        Path(f"{tmp_path}/old{'/a' * depth}").mkdir()
    look(folder)
    asyncio.run(folder.tidy())
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"old", "full", "full/a.png"}
    assert look(folder) == []
    asyncio.run(folder.tidy())
    assert (tmp_path / "old").is_dir(), "it was there before"
