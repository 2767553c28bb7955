"""`pycomfy branch`: workflows are branches."""

from typing import TYPE_CHECKING, Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.no_versions import print_no_versions
from pycomfy.cli.terminal import print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from pycomfy.services.versions.branch import BranchEntry


def branch(
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="The new workflow's name.", show_default=False)
    ] = None,
    start: Annotated[
        str | None, typer.Argument(metavar="REF", help="The version it begins with.", show_default=False)
    ] = None,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list, or the new one, as JSON.")] = False,
) -> None:
    """Start a workflow from another one's version, or list all workflows.

    It has the history of that version. Without arguments, all workflows are listed.

    Examples: `pycomfy branch hello-fast hello@2`, `pycomfy branch`
    """
    from pycomfy.services.versions.branch import branch as begin_branch
    from pycomfy.services.versions.branch import list_branches
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open()
    if new is None:
        found = list_branches(workspace)
    elif start is None:
        raise typer.BadParameter("say where it begins: pycomfy branch NEW REF", param_hint="REF")
    else:
        with maybe_dry(workspace, dry=dry) as workspace:
            found = [begin_branch(workspace, new, start)]
    if as_json:
        print_json(found if new is None else found[0])
    elif not found:
        print_no_versions()
    else:
        show(found)


def show(branches: "Sequence[BranchEntry]", console: "Console | None" = None) -> None:
    """Print a table on a terminal; elsewhere a line for each workflow."""
    titles = ("version", "built", "commit")
    print_rows(branches, titles, cells=_cells, plain=lambda b: (b.label, b.created_at, b.commit[:12]), console=console)


def _cells(branch: "BranchEntry") -> tuple[str, ...]:
    return branch.label, branch.created_at.replace("T", " ").removesuffix("Z"), branch.commit[:12]
