"""The table that every benchmark adds to: our figure, the other's from the same run, and the ratio."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Row:
    """`goal` is in words; machines are noisy, so it is printed and not asserted."""

    what: str
    ours: float
    theirs: float | None = None
    goal: str = ""
    unit: str = "s"

    def cells(self) -> tuple[str, ...]:
        other = "" if self.theirs is None else f"{self.theirs:.1f} {self.unit}"
        ratio = "" if self.theirs is None else f"{self.ours / self.theirs:.2f}"
        ours = f"{self.ours:.1f}" if self.ours >= 10 else f"{self.ours:.2f}"
        return self.what, f"{ours} {self.unit}", other, ratio, self.goal


def render(title: str, rows: Iterable[Row], other: str, note: str = "") -> str:
    """A Markdown table, and below it what a reader has to know of its figures."""
    lines = [f"## {title}", "", f"| what | pycomfy | {other} | ratio | goal |", "|---|---:|---:|---:|---|"]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join([*lines, "", *([note] if note else [])])


def put_section(title: str, text: str) -> None:
    """Write a section of RESULTS.md, in place of the one with this title, and leave all others."""
    before, *sections = RESULTS.read_text().split("\n## ")
    others = [section for section in sections if section.splitlines()[0] != title]
    RESULTS.write_text("\n## ".join([before, *others, f"{title}\n\n{text.rstrip()}\n"]))


def machine() -> str:
    """What it ran on, and when."""
    return f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"
