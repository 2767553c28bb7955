"""`pycomfy log`: the versions that were built."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.cli.terminal import find_console, print_lines, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from pycomfy.services.versions.log import LogEntry


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
        show(versions, find_console())


def show(versions: "list[LogEntry]", console: "Console | None") -> None:
    """Print a table on a terminal; elsewhere a line for each version, with tabs between, for other programs."""
    if not versions:
        print("no versions yet: `pycomfy build WORKFLOW` makes the first", file=sys.stderr)
        return
    if console is None:
        print_lines(
            (f"{v.name}@{v.version}", v.created_at, v.comfyui_version, v.manifest_digest or "-") for v in versions
        )
        return
    from rich.markup import escape

    rows = [
        (
            f"[bold]{v.name}[/bold]@{v.version}",
            v.created_at.replace("T", " ").removesuffix("Z"),
            v.comfyui_version,
            size(v.size) if v.size is not None else "",
            (v.manifest_digest or "").removeprefix("sha256:")[:12],
            escape(v.message),
        )
        for v in versions
    ]
    titles = ("version", "built", "ComfyUI", "size", "image", "message")
    print_table(console, titles, rows, right=("size",), wrap=("message",))
