import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.adapters.containers.job_outputs import save_result
from pycomfy.errors import NoSpace, RunFailed
from tests.support.properties import ONE_FIXTURE


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "a.png").write_bytes(b"new")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_file_arrives_with_its_digest(job: Path, target: Path) -> None:
    saved = save_result(job, "output/a.png", target, "sub/a.png")
    assert saved.path == target / "sub" / "a.png"
    assert (saved.sha256, saved.size) == (hashlib.sha256(b"new").hexdigest(), 3)


def test_a_taken_name_gets_a_number_and_nothing_is_overwritten(job: Path, target: Path) -> None:
    target.mkdir()
    (target / "a.png").write_bytes(b"old")
    names = [save_result(job, "output/a.png", target, "a.png").path.name for _ in range(2)]
    assert names == ["a-2.png", "a-3.png"]
    assert (target / "a.png").read_bytes() == b"old"
    assert sorted(p.name for p in target.iterdir()) == ["a-2.png", "a-3.png", "a.png"]


def test_a_file_system_without_links_will_do(job: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    paths = [save_result(job, "output/a.png", target, "a.png").path for _ in range(2)]
    assert [(p.name, p.read_bytes()) for p in paths] == [("a.png", b"new"), ("a-2.png", b"new")]


@pytest.mark.parametrize(
    "name", ["link", "loop", "fifo", "folder/inner", "../secret", "missing", "output", ".", "/etc/passwd"]
)
def test_only_a_plain_file_of_the_job_is_taken(job: Path, target: Path, name: str) -> None:
    (job.parent / "secret").write_text("secret")
    (job / "link").symlink_to(job.parent / "secret")
    (job / "loop").symlink_to(job / "loop")
    (job / "folder").symlink_to("/etc")
    os.mkfifo(job / "fifo")
    with pytest.raises(RunFailed):
        save_result(job, name, target, "x")
    assert not target.exists() or list(target.iterdir()) == []


def test_a_link_in_the_output_folder_leads_nowhere_else(job: Path, target: Path) -> None:
    target.mkdir()
    (job.parent / "elsewhere").mkdir()
    (target / "sub").symlink_to(job.parent / "elsewhere")
    with pytest.raises(RunFailed, match="a link to outside the output folder"):
        save_result(job, "output/a.png", target, "sub/a.png")
    assert list((job.parent / "elsewhere").iterdir()) == []


@settings(suppress_health_check=ONE_FIXTURE)
@given(st.text(max_size=300))
def test_whatever_the_name_the_file_lands_in_the_folder(job: Path, target: Path, name: str) -> None:
    saved = save_result(job, "output/a.png", target, name)
    assert saved.path.resolve().is_relative_to(target.resolve())
    assert saved.path.read_bytes() == b"new"
    assert not saved.path.name.startswith(("-", "."))
    assert saved.path.name.isprintable() or not any(ord(c) < 32 for c in saved.path.name)
    saved.path.unlink()


@pytest.mark.parametrize("name", ["漢" * 200 + ".png", "renders\\hello_00001_.png", "x" * 300 + ".png"])
def test_a_long_or_foreign_name_is_saved_as_the_picture_it_is(job: Path, target: Path, name: str) -> None:
    for number in ("", "-2"):
        saved = save_result(job, "output/a.png", target, name).path
        assert saved.suffix == ".png" and saved.stem.endswith(number) and len(os.fsencode(saved.name)) < 256


def test_a_full_disk_is_reported_and_leaves_nothing(job: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(NoSpace):
        save_result(job, "output/a.png", target, "a.png")
    assert list(target.iterdir()) == []
