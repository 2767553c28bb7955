"""Print text and tables: everything that this package prints passes through here, and none of it acts on a terminal.

Rich is imported for a terminal only.
"""

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from pycomfy.core.printable import printable, printable_lines
from pycomfy.core.sentences import shorten

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from pycomfy.cli.console import SafeConsole

T = TypeVar("T")

_FORCED = {"FORCE_COLOR", "TTY_COMPATIBLE"}
"""With these, rich may treat as a terminal what is not."""

MAX_LINE = 10_000
"""Characters that a person gets to see of one line of an error or a remark. Those of a name in a table are fewer."""

MAX_CELL = 200
"""Characters of a name that a person gets to see in a table or a title."""

_GAP = 2
"""Spaces between two columns of a table."""

_SHORT = 12
"""Columns of a terminal up to which the texts of a table's column are short."""

_LABEL = re.compile(r"(?P<indent> *)(?P<label>note|warning): ")
_STYLES = {"note": "cyan", "warning": "bold yellow"}
"""Styles of labels on a terminal, so that remarks can be told apart where each takes several lines."""


_state = {"quiet": False}


def be_quiet(quiet: bool = True) -> None:
    """Print only results, errors and warnings from now on, or again all."""
    _state["quiet"] = quiet


def is_quiet() -> bool:
    """Return whether only results, errors and warnings are printed."""
    return _state["quiet"]


def find_console(stream: TextIO | None = None) -> "SafeConsole | None":
    """Return a console on a stream, by default standard output; None if it is not a terminal. Rich respects `NO_COLOR`
    and `TERM=dumb`."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty() and not os.environ.keys() & _FORCED:
        return None
    console = make_console(stream)
    return console if console.is_terminal else None


def make_console(stream: TextIO) -> "SafeConsole":
    """Return a console on a stream, for what is laid out with rich whether it is a terminal or not."""
    from pycomfy.cli.console import SafeConsole

    return SafeConsole(stream)


def print_line(*parts: object, sep: str = " ", error: bool = False) -> None:
    """Print one line on standard output, or with `error` on standard error: a remark or a summary, which is left out if
    only results are to be printed. A line break within a part, and what else does not print, becomes U+FFFD. The label
    of a remark is coloured on a terminal."""
    line = sep.join(printable(str(part)) for part in parts)
    if error and is_quiet() and not line.startswith("warning: "):
        return
    console = find_console(sys.stderr if error else sys.stdout) if _LABEL.match(line) else None
    if console is None:
        _write(line, error=error)
    else:
        console.print(mark_label(line), soft_wrap=True)


def print_text(text: str, *, error: bool = False) -> None:
    """Print a text of several lines; it ends with a line break, as a line does."""
    _write(printable_lines(text), error=error)


def split_lines(text: str) -> list[str]:
    """Return the lines of what another program printed, each printable; none of an empty text."""
    return printable_lines(text).expandtabs(4).split("\n") if text else []


def _write(text: str, *, error: bool) -> None:
    print(text, file=sys.stderr if error else sys.stdout, flush=error)


def mark_label(remark: str) -> "Text":
    """Return a remark with its label, `note:` or `warning:`, in the label's style."""
    from rich.text import Text

    text = Text(remark)
    if match := _LABEL.match(remark):
        text.stylize(_STYLES[match["label"]], match.end("indent"), match.end("label") + 1)
    return text


def print_rows(
    rows: Iterable[T],
    titles: Sequence[str],
    *,
    cells: "Callable[[T], Sequence[RenderableType]]",
    plain: Callable[[T], Sequence[object]],
    right: Collection[str] = (),
    wrap: Collection[str] = (),
    whole: Collection[str] = (),
    console: "Console | None" = None,
) -> None:
    """Print rows as a table on a terminal; elsewhere a line for each, with tabs between, for other programs. `cells`
    returns those of the table, `plain` those of a line. The rest is as for `print_table`."""
    console = find_console() if console is None else console
    if console is None:
        print_lines(map(plain, rows))
    else:
        print_table(console, titles, map(cells, rows), right=right, wrap=wrap, whole=whole)


def styled(*parts: str | tuple[str, str]) -> "Text":
    """Return a cell of texts, some of them with a style: ("hello", "bold")."""
    from rich.text import Text

    return Text.assemble(*(printable(p) if isinstance(p, str) else (printable(p[0]), p[1]) for p in parts))


def name_cell(name: str, style: str = "") -> "Text":
    """Return a cell, or a part of a line, for a name, of which a person sees no more than `MAX_CELL` characters."""
    return styled((shorten(name, MAX_CELL), style))


def print_table(
    console: "Console",
    titles: Sequence[str],
    rows: Iterable[Sequence["RenderableType"]],
    *,
    right: Collection[str] = (),
    wrap: Collection[str] = (),
    whole: Collection[str] = (),
) -> None:
    """Print rows of cells: texts, printed as they are, and anything else of rich. The columns `right` are aligned to
    the right, those in `wrap` may take several lines. Where the terminal is too narrow, the widest columns get less, so
    that short texts such as dates and sizes stay whole; those in `whole`, which are copied from there, last."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False)
    rows = list(rows)
    needed = [max(map(cell_len, map(str, column))) for column in zip(titles, *rows, strict=True)]
    widths = _fit(needed, console.width - _GAP * (len(titles) - 1), [title in whole for title in titles])
    for title, width in zip(titles, widths, strict=True):
        wraps = title in wrap
        table.add_column(
            title,
            justify="right" if title in right else "left",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
            width=width,
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def _fit(needed: Sequence[int], available: int, whole: Sequence[bool]) -> list[int]:
    """Return widths of at least 1 for columns that need so much. Short ones get what they need; the others share what
    is left of `available`, the narrow ones first. Those that are to be `whole` get all but `_SHORT` for each other."""
    widths = list(needed)
    order = sorted(range(len(needed)), key=lambda at: (needed[at] > _SHORT, not whole[at], needed[at]))
    left = available
    for done, at in enumerate(order):
        others = len(order) - done - 1
        share = left - _SHORT * others if whole[at] else left // (others + 1)
        if needed[at] > _SHORT:
            widths[at] = max(1, min(needed[at], share))
        left -= widths[at]
    return widths


def print_lines(rows: Iterable[Sequence[object]]) -> None:
    """Print a line for each row, with tabs between the cells, for another program."""
    for row in rows:
        print_line(*row, sep="\t")
