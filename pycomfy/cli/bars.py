"""Progress on a terminal: live bars, through rich."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from pycomfy import progress as protocol
from pycomfy.cli.progress import Counter, duration


class Bars:
    """A live bar for each running step; a line stays for each that ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.display = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[text]}", markup=True),
            console=console,
            transient=True,
        )
        self.running = 0

    def step(self, title: str, *, total: int | None = None, unit: protocol.Unit = "items") -> protocol.Task:
        return _BarTask(self, title, total, unit)

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)


class _BarTask(Counter):
    def __init__(self, bars: Bars, title: str, total: int | None, unit: protocol.Unit) -> None:
        super().__init__(title, total, unit)
        self.bars = bars
        self.id: TaskID | None = None

    def advance(self, amount: int = 1) -> None:
        self.count += amount
        self._show()

    def total(self, total: int) -> None:
        self.most = total
        self._show()

    def note(self, text: str) -> None:
        self.text = text
        self._show()

    def _show(self) -> None:
        if self.id is not None:
            room = max(10, self.bars.console.width - 75)
            text = self.text if len(self.text) <= room else self.text[: room - 1] + "…"
            self.bars.display.update(
                self.id, completed=self.count, total=self.most, amount=self.amount(), text=text.replace("[", r"\[")
            )

    def __enter__(self) -> Self:
        if not self.bars.running:
            self.bars.display.start()
        self.bars.running += 1
        self.id = self.bars.display.add_task(self.title, total=self.most, amount="", text="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.id is not None:
            self.bars.display.remove_task(self.id)
        self.bars.running -= 1
        if not self.bars.running:
            self.bars.display.stop()
        parts = [p for p in (self.text or self.amount(),) if p]
        tail = f"  [dim]{parts[0]}[/dim]".replace("\n", " ") if parts else ""
        mark = "[red]✗[/red]" if kind else "[green]✓[/green]"
        self.bars.console.print(f"{mark} {self.title}{tail}  [dim]{duration(self.seconds())}[/dim]")
