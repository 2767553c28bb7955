"""A terminal to run the command line in: a pseudo-terminal, whose output pyte, a terminal emulator, draws."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
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
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    env = {name: value for name, value in env.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        command, cwd=cwd, env={**env, "TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, b"\n" * 8)
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
    screen = _Screen(columns)
    pyte.ByteStream(screen).feed(raw)
    cells = tuple(tuple(screen.buffer[row][column] for column in range(columns)) for row in range(LINES))
    lines = tuple(line.rstrip() for line in screen.display)
    return Shown(process.returncode, lines, cells, (screen.cursor.x, screen.cursor.y), tuple(screen.told), raw)
