"""`pycomfy gc`: what nothing needs is freed."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import size
from pycomfy.cli.prompt import confirm
from pycomfy.cli.terminal import print_line, print_rows

if TYPE_CHECKING:
    from pycomfy.services.disk.collect import FreedItem, GcResult

_MAX_SHOWN = 20


def gc(
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Also the layers of all but the N newest versions of each workflow."),
    ] = None,
    older_than: Annotated[
        int | None,
        typer.Option(metavar="DAYS", min=0, help="Also the layers of versions that are older; with --keep, of those."),
    ] = None,
    caches: Annotated[
        bool, typer.Option("--caches", help="Also all caches: while no other pycomfy runs. They are fetched again.")
    ] = False,
    loaded: Annotated[
        bool, typer.Option("--loaded", help="Also images in Podman or Docker that no container uses.")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and do not ask.")] = False,
) -> None:
    """Free the disk of what nothing needs; every version stays restorable.

    What goes: layers that no version has, sources in the Nix store that the archive has whole, and sources in the
    archive that no version needs, and files given to runs in the studio that no run in the history has, after a day.
    On a terminal it asks first.

    Layers of a version that `--keep` or `--older-than` names go only if the archive has all that they are made of:
    `pycomfy restore NAME@V` makes them again. What a container uses stays; a ComfyUI in reserve for the next build is
    ended.

    Examples: `pycomfy gc --dry-run`, `pycomfy gc --keep 3 --yes`
    """
    from pycomfy.services.disk.collect import GcRequest, end_reserve, plan_gc
    from pycomfy.services.workspace import Workspace

    request = GcRequest(keep=keep, older_than=older_than, caches=caches, loaded=loaded)
    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        if not dry and (ended := end_reserve(workspace)):
            print_line(f"note: ended {ended} ComfyUI in reserve", error=True)
        plan = plan_gc(workspace, request)
        result = plan.describe()
        if not dry:
            ask = not (yes or as_json) and bool(result.items) and sys.stdin.isatty() and sys.stderr.isatty()
            if ask:
                _show(result)
            if ask and not confirm(f"Free {size(result.size)}?"):
                raise typer.Exit
            result = plan.apply()
    if as_json:
        print_json(result)
    else:
        _show(result)


def _show(result: "GcResult") -> None:
    print_rows(result.items, ("size", "count", "what"), cells=_cells, plain=_cells, right=("size", "count"))
    for label in result.kept[:_MAX_SHOWN]:
        print_line(f"note: {label} keeps its layers: the archive lacks some of its sources (pycomfy archive status)")
    print_line(f"{size(result.size)} {'would be freed' if result.dry_run else 'freed'}")


def _cells(item: "FreedItem") -> tuple[str, ...]:
    return size(item.size), str(item.count), item.title
