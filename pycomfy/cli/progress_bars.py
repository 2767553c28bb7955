"""Show progress on a terminal as live bars, with rich."""

import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from pycomfy import progress as protocol
from pycomfy.cli.progress import Counter, duration, remark
from pycomfy.cli.terminal import mark_label, styled
from pycomfy.errors import Fixes

_PAUSE = 0.1
"""Seconds between two drawings of the bars."""


class Bars:
    """A live bar for each running step; a line remains for each that has ended.

    Steps may run in several threads. Only a holder of `lock` writes: rich's own refreshing does not wait for a line
    that is being printed, and would leave bars between the lines or erase lines.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.display = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", style="dim", markup=False),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self.lock = threading.RLock()
        self._running = 0
        self._stopped = threading.Event()

    def step(self, title: str, *, total: int | None = None, unit: protocol.Unit = "items") -> protocol.Task:
        return _BarTask(self, title, total, unit)

    def report(self, text: str, fixes: Fixes = ()) -> None:
        with self.lock:
            self.console.print(mark_label(remark(text, fixes)), soft_wrap=True)

    def begin(self, title: str, total: int | None) -> TaskID:
        """Add a bar."""
        with self.lock:
            if not self._running:
                self.display.start()
                self._stopped = threading.Event()
                threading.Thread(target=self._draw, args=(self._stopped,), daemon=True).start()
            self._running += 1
            return self.display.add_task(title, total=total, amount="", text="")

    def end(self, bar: TaskID, line: Text) -> None:
        """Remove a bar, and print a line instead."""
        with self.lock:
            self.display.remove_task(bar)
            self._running -= 1
            if not self._running:
                self._stopped.set()
                self.display.stop()
            self.console.print(line)

    def _draw(self, stopped: threading.Event) -> None:
        while not stopped.wait(_PAUSE):
            with self.lock:
                if not stopped.is_set():
                    self.display.refresh()


class _BarTask(Counter):
    def __init__(self, bars: Bars, title: str, total: int | None, unit: protocol.Unit) -> None:
        super().__init__(title, total, unit)
        self.bars = bars
        self.id: TaskID | None = None

    def total(self, total: int) -> None:
        super().total(total)
        self.show()

    def show(self) -> None:
        if self.id is not None:
            width = max(10, self.bars.console.width - 75)
            text = self.text if len(self.text) <= width else self.text[: width - 1] + "…"
            self.bars.display.update(self.id, completed=self.count, total=self.limit, amount=self.amount(), text=text)

    def __enter__(self) -> Self:
        self.id = self.bars.begin(self.title, self.limit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mark = ("✗", "red") if kind else ("✓", "green")
        said = self.text or self.amount()
        tail = "".join(f"  {part}" for part in (said, duration(self.seconds())) if part)
        if self.id is not None:
            self.bars.end(self.id, styled(mark, f" {self.title}", (tail, "dim")))
