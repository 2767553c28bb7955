"""Files that no node spoke of are found by the times of their folders."""

import asyncio
import os
from pathlib import Path

from pycomfy.gateway.jobs.outputs import OutputFolder


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
