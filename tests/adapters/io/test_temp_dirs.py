"""Folders to work in: gone in the end, however that comes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.temp_dirs import find_leftovers, remove_folder, scratch_folder, temporary_folder

ROOT = Path(__file__).parents[3]
STAY = (
    "import signal, sys\nfrom pathlib import Path\nfrom pycomfy.adapters.io.temp_dirs import temporary_folder\n"
    "with temporary_folder(Path(sys.argv[1]), 'x-') as folder:\n"
    "    (folder / 'half').touch()\n    print(folder, flush=True)\n    signal.pause()\n"
)


SCRATCH = STAY.replace("temporary_folder(Path(sys.argv[1]), 'x-')", "scratch_folder()").replace(
    "import temporary_folder", "import scratch_folder"
)


def start(place: Path, program: str = STAY) -> tuple["subprocess.Popen[str]", Path]:
    """A process that works in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, place],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(place)},
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_it_is_gone_afterwards_whatever_happened(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "new", "x-") as folder:
        (folder / "locked").mkdir()
        (folder / "locked" / "file").touch()
        (folder / "locked").chmod(0o500)
    with pytest.raises(ZeroDivisionError), temporary_folder(tmp_path / "new", "x-"):
        raise ZeroDivisionError
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_sudden_end_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    process, left = start(tmp_path)
    end(process)
    assert (left / "half").exists()
    (tmp_path / "mine").mkdir()
    with temporary_folder(tmp_path, "x-") as folder:
        assert sorted(tmp_path.iterdir()) == sorted((folder, tmp_path / "mine"))


def test_what_somebody_works_in_stays(tmp_path: Path) -> None:
    process, theirs = start(tmp_path)
    with temporary_folder(tmp_path, "x-") as one, temporary_folder(tmp_path, "x-") as two:
        assert {p.name for p in tmp_path.iterdir()} == {theirs.name, one.name, two.name}
    assert (theirs / "half").exists()
    end(process)


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "x-link").symlink_to(tmp_path / "kept")
    with temporary_folder(tmp_path / "place", "x-") as folder:
        (folder / "link").symlink_to(tmp_path / "kept")
        (tmp_path / "kept").chmod(0o755)
    assert (tmp_path / "kept" / "file").exists() and list((tmp_path / "place").iterdir()) == []
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o755


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    remove_folder(tmp_path / "none")


def test_what_is_left_over_is_told_from_what_is_in_use_or_new(tmp_path: Path) -> None:
    with temporary_folder(tmp_path, "work-") as busy:
        left, new, file = tmp_path / "work-left", tmp_path / "work-new", tmp_path / "work-file"
        left.mkdir()
        new.mkdir()
        file.touch()
        for old in (busy, left, file):
            os.utime(old, (1, 1))
        assert find_leftovers(tmp_path, "work-*", older_than=3600) == [file, left]
        assert find_leftovers(tmp_path, "other-*", older_than=0) == []
        assert find_leftovers(tmp_path / "none", "*", older_than=0) == []
        assert left.exists() and new.exists() and file.exists() and busy.exists()


def test_what_a_sudden_end_left_among_temporary_files_goes_with_the_next_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, left = start(tmp_path, SCRATCH)
    end(killed)
    assert (left / "half").exists()
    alive, used = start(tmp_path, SCRATCH)
    try:
        assert not left.exists()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        (tmp_path / "pycomfy-tmp-file").touch()
        (tmp_path / "pycomfy-tmp-link").symlink_to(used)
        with scratch_folder() as mine:
            assert (used / "half").exists() and mine.parent == tmp_path
        assert {p.name for p in tmp_path.iterdir()} == {used.name, "pycomfy-tmp-file", "pycomfy-tmp-link"}
    finally:
        end(alive)
