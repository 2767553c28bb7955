"""`pycomfy log`: the versions that were built."""

from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.no_versions import print_no_versions
from pycomfy.cli.progress import size
from pycomfy.cli.terminal import print_rows, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from pycomfy.services.versions.log import LogEntry


def log(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this workflow's versions.", show_default=False)
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="List runs instead: inputs, outputs and whether they are there, errors.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the versions that were built, newest first.

    With `--runs`, it lists the runs on this machine; `pycomfy run NAME --again RUN` runs one again.

    Examples: `pycomfy log hello`, `pycomfy log hello --runs`
    """
    if runs:
        from pycomfy.cli.runs import show_runs

        show_runs(name, as_json=as_json)
        return
    from pycomfy.services.versions.log import log as list_versions
    from pycomfy.services.workspace import Workspace

    versions = list_versions(Workspace.open(), name)
    if as_json:
        print_json(versions)
    else:
        show(versions)


def show(versions: "list[LogEntry]", console: "Console | None" = None) -> None:
    """Print a table on a terminal; elsewhere a line for each version. Without any, say how to make the first."""
    if not versions:
        print_no_versions()
        return
    titles = ("version", "built", "ComfyUI", "size", "image", "message")
    print_rows(versions, titles, cells=_cells, plain=_plain, right=("size",), wrap=("message",), console=console)


def _plain(v: "LogEntry") -> tuple[str, ...]:
    return f"{v.name}@{v.version}", v.created_at, v.comfyui_version, v.manifest_digest or "-"


def _cells(v: "LogEntry") -> "Sequence[RenderableType]":
    return (
        styled((v.name, "bold"), f"@{v.version}"),
        v.created_at.replace("T", " ").removesuffix("Z"),
        v.comfyui_version,
        size(v.size) if v.size is not None else "",
        (v.manifest_digest or "").removeprefix("sha256:")[:12],
        v.message,
    )
