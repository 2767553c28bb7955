"""`pycomfy log`: the versions that were built."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size

if TYPE_CHECKING:
    from rich.console import Console

    from pycomfy.services.versions.log import LogEntry

_FORCE = {"FORCE_COLOR", "TTY_COMPATIBLE"}
"""With these, rich may treat any output as a terminal."""


def log(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this workflow's versions.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the versions that were built, newest first.

    Example: `pycomfy log hello`
    """
    from pycomfy.services.versions.log import log as list_versions
    from pycomfy.services.workspace import Workspace

    versions = list_versions(Workspace.open(), name)
    if as_json:
        print_json(versions)
    else:
        show(versions, _find_console())


def show(versions: "list[LogEntry]", console: "Console | None") -> None:
    """Print a table on a terminal; elsewhere a line for each version, with tabs between, for other programs."""
    if not versions:
        print("no versions yet: `pycomfy build WORKFLOW` makes the first", file=sys.stderr)
    elif console is not None and console.is_terminal:
        _print_table(versions, console)
    else:
        for v in versions:
            print(f"{v.name}@{v.version}", v.created_at, v.comfyui_version, v.manifest_digest or "-", sep="\t")


def _find_console() -> "Console | None":
    """Return a console; None where standard output cannot be a terminal, which saves the import of rich."""
    if not sys.stdout.isatty() and not os.environ.keys() & _FORCE:
        return None
    from rich.console import Console

    return Console(highlight=False)


def _print_table(versions: "list[LogEntry]", console: "Console") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in ("version", "built", "ComfyUI", "size", "image", "message"):
        table.add_column(title, justify="right" if title == "size" else "left", no_wrap=title != "message")
    for v in versions:
        table.add_row(
            f"[bold]{v.name}[/bold]@{v.version}",
            v.created_at.replace("T", " ").removesuffix("Z"),
            v.comfyui_version,
            size(v.size) if v.size is not None else "",
            (v.manifest_digest or "").removeprefix("sha256:")[:12],
            escape(v.message),
        )
    console.print(table)
