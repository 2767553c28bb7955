"""Files that replace others: whole or not at all, also where the process is killed."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.atomic_files import new_file, write_file

ROOT = Path(__file__).parents[3]
STAY = (
    "import signal, sys\nfrom pathlib import Path\nfrom pycomfy.adapters.io.atomic_files import new_file\n"
    "with new_file(Path(sys.argv[1])) as file:\n"
    "    file.write(b'half')\n    file.flush()\n    print('written', flush=True)\n    signal.pause()\n"
)


@pytest.fixture(params=["nameless files", "none of those"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a file system that has files without a name, or has not."""
    if request.param == "none of those":
        real = os.open

        def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported", str(path))
            return real(path, flags, mode)

        monkeypatch.setattr("pycomfy.adapters.io.atomic_files.os.open", refuse)
    return tmp_path


def test_a_file_is_replaced(folder: Path) -> None:
    write_file(folder / "new" / "file", "old")
    write_file(folder / "new" / "file", b"new")
    assert (folder / "new" / "file").read_bytes() == b"new"
    assert os.listdir(folder / "new") == ["file"]  # noqa: PTH208


def test_it_gets_the_permissions_of_every_new_file(folder: Path) -> None:
    (folder / "other").touch()
    write_file(folder / "file", "x")
    assert (folder / "file").stat().st_mode == (folder / "other").stat().st_mode


def test_a_failure_leaves_the_file_as_it_was(folder: Path) -> None:
    write_file(folder / "file", "old")
    with pytest.raises(ZeroDivisionError), new_file(folder / "file") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [(p.name, p.read_text()) for p in folder.iterdir()] == [("file", "old")]


def test_a_kill_leaves_nothing_of_what_was_written(tmp_path: Path) -> None:
    write_file(tmp_path / "file", "old")
    with subprocess.Popen(
        [sys.executable, "-c", STAY, tmp_path / "file"], stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.killpg(process.pid, signal.SIGKILL)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("file", "old")]
