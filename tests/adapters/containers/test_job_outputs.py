import errno
import hashlib
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.adapters.containers.job_outputs import check_output_folder, find_files, save_result
from pycomfy.errors import BadInput, NoSpace, RunFailed
from tests.support.properties import ONE_FIXTURE
from tests.support.small_disks import small_disk


def refuse_links(*_: object) -> None:
    raise OSError(errno.EPERM, "no links here")


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
    monkeypatch.setattr(os, "link", refuse_links)
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
    saved = [save_result(job, "output/a.png", target, f"sub/{name}").path.name for name in ("a.png", "deep/a.png")]
    assert saved == ["sub_a.png", "sub_deep_a.png"]
    assert list((job.parent / "elsewhere").iterdir()) == []


def test_a_file_in_place_of_a_folder_loses_nothing(job: Path, target: Path) -> None:
    target.mkdir()
    (target / "sub").write_text("a file")
    assert save_result(job, "output/a.png", target, "sub/a.png").path == target / "sub_a.png"
    assert (target / "sub").read_text() == "a file"


def test_on_one_disk_a_file_takes_no_more_room(job: Path, target: Path) -> None:
    saved = save_result(job, "output/a.png", target, "a.png").path
    assert saved.samefile(job / "output" / "a.png")
    again = save_result(job, "output/a.png", target, "a.png").path
    assert not again.samefile(saved), "two of the user's files are never one"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_claims_more_than_the_disk_has_is_neither_copied_nor_read(
    job: Path, target: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    with (job / "output" / "huge").open("wb") as f:
        f.truncate(1 << 42)
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    with pytest.raises(NoSpace, match=r"claims 4398\.0 GB, of which 0\.0 GB are there"):
        save_result(job, "output/huge", target, "huge")
    assert not target.exists()


def test_what_files_claim_is_counted(job: Path, target: Path) -> None:
    with (job / "output" / "hole").open("wb") as f:
        f.truncate(2 << 20)
    assert save_result(job, "output/hole", target, "a").holes == 2 << 20
    with pytest.raises(NoSpace, match=r"0\.0 GB are taken that are not there"):
        save_result(job, "output/hole", target, "b", max_holes=0)
    (job / "output" / "small").write_bytes(b"x")
    assert save_result(job, "output/small", target, "c", max_holes=0).size == 1


def test_an_output_folder_is_checked_before_anything_runs(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/new")):
        with pytest.raises(BadInput):
            check_output_folder(wrong)


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


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("-rf", "_rf"),
        (".hidden", "_hidden"),
        ("caf\udce9.txt", "caf_.txt"),
        ("a\x1b[31m\n\u202egnp.exe", "a_[31m__gnp.exe"),
        ("renders\\hello.png", "renders_hello.png"),
        ("CON", "_CON"),
        ("nul.png", "_nul.png"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.png", "console.png"),
        ("a:b?.png", "a_b_.png"),
        ("end. ", "end_"),
        (" ", "_"),
    ],
)
def test_an_odd_name_becomes_a_harmless_one(job: Path, target: Path, name: str, harmless: str) -> None:
    assert save_result(job, "output/a.png", target, name).path.name == harmless


def test_a_path_that_is_too_deep_keeps_the_files_own_name(job: Path, target: Path) -> None:
    assert save_result(job, "output/a.png", target, "x/" * 3000 + "a.png").path == target / "a.png"


def test_what_a_job_left_is_found_and_nothing_that_a_link_leads_to(job: Path) -> None:
    (job / "results" / "7").mkdir(parents=True)
    (job / "output" / "sub").mkdir()
    for name in ("results/7/text.txt", "output/.hidden", "output/sub/b.png", "input.png"):
        (job / name).touch()
    (job / "output" / "link").symlink_to("/etc/passwd")
    (job / "output" / "etc").symlink_to("/etc")
    os.mkfifo(job / "output" / "fifo")
    found = ["output/.hidden", "output/a.png", "output/sub/b.png", "results/7/text.txt"]
    assert list(find_files(job, limit=10)) == found
    assert list(find_files(job, limit=2)) == found[:2]
    assert list(find_files(job / "nowhere", limit=2)) == []


def test_a_path_longer_than_the_system_takes_costs_nothing_else(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job / "output")
    while len(str(Path.cwd())) < 3900:
        os.mkdir("d" * 99)  # noqa: PTH102  (relative: a longer one would be refused)
        os.chdir("d" * 99)
    Path("e" * 200).touch()
    monkeypatch.undo()
    assert list(find_files(job, limit=10)) == ["output/a.png"]


def test_a_link_in_place_of_the_output_folder_leads_nowhere(job: Path) -> None:
    shutil.rmtree(job / "output")
    (job / "output").symlink_to("/etc")
    assert list(find_files(job, limit=10)) == []


def test_a_full_disk_is_reported_and_leaves_nothing(job: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(NoSpace):
        save_result(job, "output/a.png", target, "a.png")
    assert list(target.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_with_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match=re.escape(f"{tmp_path / 'file'} is no folder")) as caught:
            check_output_folder(folder)
        assert caught.value.where == str(folder)


def test_a_full_disk_of_the_users_is_the_one_to_free(job: Path, tmp_path: Path) -> None:
    (job / "output" / "big").write_bytes(b"x" * 200_000)
    with small_disk(tmp_path / "small", "size=64k"):
        with pytest.raises(NoSpace) as caught:
            save_result(job, "output/big", tmp_path / "small", "big")
        assert caught.value.fixes == (f"free some space on the disk of {tmp_path / 'small'}",)


def test_a_read_only_folder_is_named_without_our_temporary_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "ro,size=64k"):
        with pytest.raises(BadInput, match="Read-only file system") as caught:
            check_output_folder(tmp_path / "small")
        assert caught.value.where == str(tmp_path / "small")
