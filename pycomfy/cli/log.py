"""`pycomfy log`: the versions that were built."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.services.versions.log import LogEntry
from pycomfy.services.versions.log import log as list_versions
from pycomfy.services.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

_NOTHING = "no versions yet: `pycomfy build WORKFLOW` makes the first"


def log(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this workflow's versions.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the versions that were built, newest first.

    Example: `pycomfy log hello`
    """
    versions = list_versions(Workspace.open(), name)
    if as_json:
        print_json(versions)
    else:
        from rich.console import Console  # what prints JSON is spared it

        show(versions, Console(highlight=False))


def show(versions: list[LogEntry], console: "Console") -> None:
    """A table on a terminal; elsewhere a line for each, with tabs between, for other programs."""
    if not versions:
        print(_NOTHING, file=sys.stderr)
        return
    if not console.is_terminal:
        for v in versions:
            print(f"{v.name}@{v.version}", v.created_at, v.comfyui_version, v.manifest_digest or "-", sep="\t")
        return
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
            escape(v.message or ""),
        )
    console.print(table)
