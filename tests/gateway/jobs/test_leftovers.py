"""What jobs leave in ComfyUI's folders goes with their results, and nothing else does."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.jobs.leftovers import TempFiles, remove_made
from pycomfy.gateway.jobs.model import Job, JobRequest, Output
from pycomfy.gateway.jobs.outputs import OutputFolder

BEGAN, ENDED = 1_000_000.0, 1_000_010.0


def job(*outputs: Output) -> Job:
    began, ended = (datetime.fromtimestamp(moment, UTC) for moment in (BEGAN, ENDED))
    return Job(
        id="j",
        request=JobRequest(graph={}),
        state="succeeded",
        created_at=began,
        started_at=began,
        completed_at=ended,
        expires_at=ended,
        outputs=outputs,
    )


def output(name: str, *, subfolder: str = "", folder: str = "output", size: int = 3) -> Output:
    about = {"node": "1", "kind": "images", "content_type": "image/png", "asset": name}
    return Output(**about, name=name, subfolder=subfolder, folder=folder, type="image", size=size)


def write(path: Path, time: float, text: str = "abc") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time, time))
    return path


def test_the_files_that_a_job_made_go_with_it(tmp_path: Path) -> None:
    top, below = write(tmp_path / "a.png", BEGAN + 1), write(tmp_path / "x" / "y" / "b.png", ENDED)
    remove_made(job(output("a.png"), output("b.png", subfolder="x/y")), lambda worker: tmp_path)
    assert not top.exists()
    assert not below.exists()
    assert list(tmp_path.iterdir()) == [], "nor are empty folders left"


def test_a_file_that_may_not_be_removed_keeps_the_others_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise no result would ever be removed again."""
    one, other = write(tmp_path / "x" / "a.png", BEGAN + 1), write(tmp_path / "b.png", BEGAN + 1)
    unlink = os.unlink

    def refuse(path: Path, **more: Any) -> None:
        if Path(path).parent.name == "x":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, **more)

    monkeypatch.setattr(os, "unlink", refuse)  # root may remove every file
    remove_made(job(output("a.png", subfolder="x"), output("b.png")), lambda worker: tmp_path)
    assert one.exists()
    assert not other.exists()


def test_folders_without_end_go_too(tmp_path: Path) -> None:
    for depth in range(1, 1501):
        Path(f"{tmp_path}{'/a' * depth}").mkdir()
    names = "/".join("a" * 1500)
    write(tmp_path / names / "a.png", BEGAN + 1)
    remove_made(job(output("a.png", subfolder=names)), lambda worker: tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_sought_where_the_comfyui_that_made_it_wrote(tmp_path: Path) -> None:
    mine, other = (write(tmp_path / worker / "a.png", BEGAN + 1) for worker in ("1", "0"))
    remove_made(job(output("a.png").model_copy(update={"worker": "1"})), lambda worker: tmp_path / worker)
    assert not mine.exists()
    assert other.exists(), "a job at the same time made a file of this name, too"


def test_what_is_not_of_the_job_stays(tmp_path: Path) -> None:
    folder = tmp_path / "output"
    stay = [
        write(folder / "before.png", BEGAN - 1),
        write(folder / "later.png", ENDED + 1),
        write(folder / "other.png", BEGAN + 1, "other"),
        write(folder / "unnamed.png", BEGAN + 1),
        write(tmp_path / "outside.png", BEGAN + 1),
        write(folder / "converted.png", BEGAN + 1),
    ]
    named = [output(path.name) for path in stay if path.name in ("before.png", "later.png", "other.png")]
    remove_made(
        job(*named, output("../outside.png"), output("converted.png", folder="converted"), output("gone.png")),
        lambda worker: folder,
    )
    assert [path for path in stay if not path.exists()] == []


def test_the_oldest_temporary_files_go_when_there_are_too_many(tmp_path: Path) -> None:
    files = TempFiles(tmp_path, limit=7)
    paths = [write(tmp_path / name, BEGAN) for name in ("a.png", "b.png", "c.png")]
    files.add([output("a.png", folder="temp"), output("b.png", folder="temp")])
    files.add([output("a.png", folder="temp"), output("c.png", folder="temp"), output("x.png")])
    assert [path.exists() for path in paths] == [True, False, True]


def test_so_do_they_when_they_are_small(tmp_path: Path) -> None:
    files = TempFiles(tmp_path, most=2)
    paths = [write(tmp_path / name, BEGAN, "") for name in ("a.png", "b.png", "c.png")]
    files.add([output(path.name, folder="temp", size=0) for path in paths])
    assert [path.exists() for path in paths] == [False, True, True]


def test_files_of_a_folder_that_was_not_there_are_new(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "output")
    assert folder.new_files() == []
    made = [write(tmp_path / "output" / name, BEGAN) for name in ("a.png", "x/b.png")]
    (tmp_path / "output" / "link").symlink_to(made[0])
    assert folder.new_files() == made
