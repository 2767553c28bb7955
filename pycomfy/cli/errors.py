"""Print errors: for a person on standard error, for a program as JSON on standard output."""

import contextlib
import sys

from rich.text import Text

from pycomfy.cli.fixes import render, render_all
from pycomfy.cli.json_output import print_json_value
from pycomfy.cli.terminal import MAX_LINE, make_console, split_lines, styled
from pycomfy.core.sentences import shorten
from pycomfy.errors import ErrorGroup, PycomfyError

SCHEMA_VERSION = 1
"""Counts the times that a published key of an error was changed or removed, from 1, as that of results does."""

MAX_SHOWN = 100
"""Errors of a group that a person gets to see."""


def print_error(error: PycomfyError) -> None:
    """Print what happened, where, what another program printed, and each way to fix it; of a group no more than
    `MAX_SHOWN` errors. Each is one line, whatever it contains, and lines of others have a mark before them: so none of
    them passes for a line of ours."""
    console = make_console(sys.stderr)
    problems = error.problems if isinstance(error, ErrorGroup) else (error,)
    for one in problems[:MAX_SHOWN]:
        rows = [("error: ", "bold red", one.what)]
        rows += [("  where: ", "dim", one.where)] if one.where else []
        rows += [("       | ", "dim", line) for line in split_lines(one.details)]
        for number, (first, *notes) in enumerate(render_all(one.fixes)):
            rows.append(("  fix:   " if number == 0 else "  or:    ", "dim", first))
            rows += [("         ", "", note) for note in notes]
        for label, style, text in rows:
            console.print(styled((label, style), shorten(text, MAX_LINE)), soft_wrap=True)
    if len(problems) > MAX_SHOWN:
        console.print(Text(f"… and {len(problems) - MAX_SHOWN:,} more errors: --json has all"))


def print_json_error(error: PycomfyError) -> None:
    """Print the error as JSON; nothing if it cannot be written, as there is also the text for a person."""
    with contextlib.suppress(OSError):
        print_json_value({"error": error.as_dict(render), "schema_version": SCHEMA_VERSION})
