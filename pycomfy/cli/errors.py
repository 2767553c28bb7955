"""Print errors: for a person on standard error, for a program as JSON on standard output."""

import contextlib
import json

from rich.console import Console

from pycomfy.cli.fixes import render, render_all
from pycomfy.errors import ErrorGroup, PycomfyError

_INDENT = "\n         "
"""Further lines, such as those of a traceback, are aligned with the first."""


def print_error(error: PycomfyError) -> None:
    """Print what happened, where, and each way to fix it; of a group each error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    for one in error.problems if isinstance(error, ErrorGroup) else (error,):
        console.print("[bold red]error:[/bold red] ", end="")
        console.print(one.what, markup=False)
        lines = [("where:", one.where)] if one.where else []
        lines += [("fix:" if n == 0 else "or:", text) for n, text in enumerate(render_all(one.fixes))]
        for label, text in lines:
            console.print(f"  [dim]{label:<6}[/dim] ", end="")
            console.print(text.replace("\n", _INDENT), markup=False)


def print_json_error(error: PycomfyError) -> None:
    """Print the error as JSON; nothing if it cannot be written, as there is also the text for a person."""
    with contextlib.suppress(OSError):
        print(json.dumps({"error": error.as_dict(render)}, ensure_ascii=False))
