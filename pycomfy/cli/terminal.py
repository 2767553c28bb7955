"""Tell a terminal from a file or another program, and print tables on it. Rich is imported for a terminal only."""

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_FORCED = {"FORCE_COLOR", "TTY_COMPATIBLE"}
"""With these, rich may treat as a terminal what is not."""


def find_console(stream: TextIO | None = None) -> "Console | None":
    """Return a console on a stream, by default standard output; None if it is not a terminal. Rich respects `NO_COLOR`
    and `TERM=dumb`."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty() and not os.environ.keys() & _FORCED:
        return None
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    return console if console.is_terminal else None


def print_table(
    console: "Console",
    titles: Sequence[str],
    rows: Iterable[Sequence["RenderableType"]],
    *,
    right: Collection[str] = (),
    wrap: Collection[str] = (),
) -> None:
    """Print rows of cells, which may contain rich's markup. The columns `right` are aligned to the right, those in
    `wrap` may take several lines."""
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in titles:
        wraps = title in wrap
        table.add_column(
            title,
            justify="right" if title in right else "left",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_lines(rows: Iterable[Sequence[object]]) -> None:
    """Print a line for each row, with tabs between the cells, for another program."""
    for row in rows:
        print(*row, sep="\t")
