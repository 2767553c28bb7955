"""Show progress on standard error: live bars on a terminal, plain lines elsewhere."""

import sys
import time
from functools import cached_property
from types import TracebackType
from typing import Self

from pycomfy import progress as protocol
from pycomfy.cli.fixes import with_fixes
from pycomfy.cli.terminal import MAX_CELL, MAX_LINE, find_console, is_quiet, print_line, print_text
from pycomfy.core.printable import printable
from pycomfy.core.sentences import shorten
from pycomfy.errors import Fixes


def make_progress() -> protocol.Progress:
    """Return bars if stderr is a terminal that can draw them, else lines; silence if only results are to be printed;
    JSON where a program reads it."""
    from pycomfy.cli.progress_json import JsonLines, is_selected  # imported late: it imports this module

    if is_selected():
        return JsonLines()
    if is_quiet():
        return protocol.Silent()
    console = find_console(sys.stderr)
    if console is None or console.is_dumb_terminal:
        return Lines()
    from pycomfy.cli.progress_bars import Bars  # imported late: it imports more of rich

    return Bars(console)


class DeferredProgress:
    """What `make_progress` returns, made when it is first used: a quick command does not wait for its imports."""

    @cached_property
    def _display(self) -> protocol.Progress:
        return make_progress()

    def step(self, title: str, *, total: int | None = None, unit: protocol.Unit = "items") -> protocol.Task:
        return self._display.step(title, total=total, unit=unit)

    def report(self, text: str, fixes: Fixes = ()) -> None:
        self._display.report(text, fixes)


def size(amount: float) -> str:
    """Format a number of bytes for people: 4.3 GB. Units are decimal, as for disks and downloads."""
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB" if amount < 10 else f"{amount:.1f} GB"


def count(number: int, noun: str) -> str:
    """Return "1 model", or "2 models"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """Format a time for people: 4.3 s, or 2 min 5 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def remark(text: str, fixes: Fixes) -> str:
    """Return a remark with its fixes, printable and in one line, so that nothing in it passes for another remark."""
    return printable(shorten(with_fixes(text, fixes), MAX_LINE))


class Counter:
    """The state of a step, whether it is shown on a terminal or in a log."""

    def __init__(self, title: str, total: int | None, unit: protocol.Unit) -> None:
        self.title, self.unit = printable(shorten(title, MAX_CELL)), unit
        self.limit, self.count, self.text = total, 0, ""
        self.started = time.monotonic()

    def amount(self) -> str:
        """Return `1.2 of 4.3 GB`, `3 of 17`, or "" where there is nothing to count."""
        show = size if self.unit == "bytes" else str
        if self.limit:
            return f"{show(min(self.count, self.limit))} of {show(self.limit)}"
        return show(self.count) if self.count else ""

    def set_text(self, text: str) -> None:
        """Note what is being done, in one line."""
        self.text = printable(shorten(text.replace("\n", " "), MAX_CELL))

    def seconds(self) -> float:
        """Return the time since the step began."""
        return time.monotonic() - self.started

    def advance(self, amount: int = 1) -> None:
        self.count += amount
        self.show()

    def total(self, total: int) -> None:
        self.limit = total

    def note(self, text: str) -> None:
        self.set_text(text)
        self.show()

    def show(self) -> None:
        """Show how far it is, where it is time for that."""
        raise NotImplementedError


class Lines:
    """Progress for logs: a line when a step ends, and one every 15 seconds while it runs."""

    interval = 15.0

    def step(self, title: str, *, total: int | None = None, unit: protocol.Unit = "items") -> protocol.Task:
        return _LineTask(title, total, unit)

    def report(self, text: str, fixes: Fixes = ()) -> None:
        print_text(remark(text, fixes), error=True)


class _LineTask(Counter):
    def __init__(self, title: str, total: int | None, unit: protocol.Unit) -> None:
        super().__init__(title, total, unit)
        self.printed = self.started

    def show(self) -> None:
        if time.monotonic() - self.printed >= Lines.interval:
            self.printed = time.monotonic()
            self._print("…", self.amount())

    def _print(self, mark: str, amount: str) -> None:
        parts = [p for p in (amount, self.text) if p]
        tail = f": {', '.join(parts)}" if parts else ""
        print_line(f"{mark} {self.title}{tail} ({duration(self.seconds())})", error=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._print("✗" if kind else "✓", "" if self.text and not kind else self.amount())
