"""A terminal to run the command line in: a pseudo-terminal, whose output pyte, a terminal emulator, draws."""

import fcntl
import multiprocessing
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

LINES = 500
"""So many that nothing scrolls out of sight."""


class _Screen(pyte.Screen):
    """A screen that keeps what its terminal was told besides text."""

    def __init__(self, columns: int) -> None:
        self.told: list[str] = []
        super().__init__(columns, LINES)

    def set_title(self, param: str) -> None:
        self.told.append(f"title {param}")

    def set_icon_name(self, param: str) -> None:
        self.told.append(f"icon {param}")

    def bell(self, *args: object) -> None:
        self.told.append("bell")

    def write_process_input(self, data: str) -> None:
        self.told.append(f"answers {data}")


@dataclass(frozen=True)
class Shown:
    """What is on a terminal after a command: each line as text, each character with its colours, where the cursor is,
    and what else the terminal was told. `raw` is what was written to it."""

    status: int
    lines: tuple[str, ...]
    cells: tuple[tuple[object, ...], ...]
    cursor: tuple[int, int]
    told: tuple[str, ...]
    raw: bytes

    @property
    def text(self) -> str:
        """All lines without what the terminal breaks them with."""
        return "".join("".join(self.lines).split())


def run_in_terminal(command: Sequence[str], *, columns: int, cwd: Path, env: Mapping[str, str]) -> Shown:
    """Run a program in a terminal of its own, to its end. Whatever it asks is answered with Enter."""
    ours, theirs = _open_terminal(columns)
    with subprocess.Popen(
        command, cwd=cwd, env=_environment(env), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, b"\n" * 8)
        raw = _read_to_the_end(ours)
    return _draw(raw, columns, process.returncode)


def call_in_terminal(
    main: Callable[[], object], arguments: Sequence[str], *, columns: int, cwd: Path, env: Mapping[str, str]
) -> Shown:
    """Do what `run_in_terminal` does with a program whose `main` has been imported: the process is a copy of one that
    waits. To start Python and to import everything takes longer than what is tested."""
    ours, theirs = _open_terminal(columns)
    _processes.set_forkserver_preload([main.__module__, *_IMPORTED])
    started = (os.ttyname(theirs), str(cwd), _environment(env), main, ["pycomfy", *arguments])
    process = _processes.Process(target=_be_program, args=started)
    process.start()
    os.write(ours, b"\n" * 8)
    raw = b""
    while ours in select.select([ours, process.sentinel], [], [])[0]:
        raw += os.read(ours, 1 << 16)
    process.join()
    os.close(theirs)  # not earlier: a terminal that nobody has open ends the reading
    assert process.exitcode is not None
    return _draw(raw + _read_to_the_end(ours), columns, process.exitcode)


_processes = multiprocessing.get_context("forkserver")
_IMPORTED = ("pycomfy.cli.main", "pycomfy.cli.inspect", "pycomfy.services.inspect", "pycomfy.services.convert")


def _be_program(
    terminal: str, folder: str, environment: Mapping[str, str], main: Callable[[], object], arguments: list[str]
) -> None:
    opened = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(opened, number)
        old = getattr(sys, name)
        mode = "w" if number else "r"
        stream = open(number, mode, 1, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    main()


def _open_terminal(columns: int) -> tuple[int, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    return ours, theirs


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in env.items() if name not in ("COLUMNS", "NO_COLOR")}
    return {**kept, "TERM": "xterm-256color"}


def _read_to_the_end(ours: int) -> bytes:
    raw = b""
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # all who wrote have ended
            break
        if not data:
            break
        raw += data
    os.close(ours)
    return raw


def _draw(raw: bytes, columns: int, status: int) -> Shown:
    screen = _Screen(columns)
    pyte.ByteStream(screen).feed(raw)
    cells = tuple(tuple(screen.buffer[row][column] for column in range(columns)) for row in range(LINES))
    lines = tuple(line.rstrip() for line in screen.display)
    return Shown(status, lines, cells, (screen.cursor.x, screen.cursor.y), tuple(screen.told), raw)
