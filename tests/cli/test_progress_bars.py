"""Progress on a terminal."""

import io
import re
import threading
import time

import pytest
from rich.console import Console

from pycomfy.cli import progress_bars

_PIECE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+")


def screen(written: str) -> list[str]:
    """The lines that a terminal shows, of what rich writes to one."""
    lines, at = [""], 0
    for piece in _PIECE.findall(written):
        if piece == "\n":
            at += 1
            lines += [""] * (at + 1 - len(lines))
        elif piece == "\x1b[1A":
            at = max(0, at - 1)
        elif piece == "\x1b[2K":
            lines[at] = ""
        elif not piece.startswith("\x1b") and piece != "\r":
            lines[at] += piece
    return [line.rstrip() for line in lines if line.strip()]


def test_every_step_of_every_thread_leaves_one_line_and_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bars, "_PAUSE", 0.001)
    written = io.StringIO()
    shown = progress_bars.Bars(Console(file=written, force_terminal=True, width=80, color_system=None))

    def work(name: str) -> None:
        for number in range(20):
            with shown.step(f"{name} {number}" + "." * (number % 3) * 20) as task:
                task.note("a note")
                time.sleep(0.001 * (number % 3))
            if number == 10:
                shown.report(f"{name} says")

    with shown.step("All"):
        threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = screen(written.getvalue())
    assert len(lines) == 3 * 21 + 1
    assert sorted({line[0] for line in lines}) == ["o", "t", "✓"] and lines[-1].startswith("✓ All")


def test_a_step_that_fails_is_marked() -> None:
    written = io.StringIO()
    shown = progress_bars.Bars(Console(file=written, force_terminal=True, width=80, color_system=None))
    with pytest.raises(ValueError, match="no"), shown.step("Try"):
        raise ValueError("no")
    (line,) = screen(written.getvalue())
    assert line.startswith("✗ Try")


def test_a_remark_is_not_broken_for_a_terminal_breaks_it_so_that_it_can_be_copied() -> None:
    written, path = io.StringIO(), f"/a/{'b' * 70}/c d"
    shown = progress_bars.Bars(Console(file=written, force_terminal=True, width=40, color_system=None))
    shown.report(f"note: see {path}")
    assert f"note: see {path}\n" in written.getvalue()
