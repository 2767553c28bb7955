"""`pycomfy branch`: workflows are branches."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.services.versions.branch import branch as begin_branch
from pycomfy.services.versions.branch import list_branches
from pycomfy.services.workspace import Workspace


def branch(
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="The new workflow's name.", show_default=False)
    ] = None,
    start: Annotated[
        str | None, typer.Argument(metavar="REF", help="The version it begins with.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list, or the new one, as JSON.")] = False,
) -> None:
    """Begin a workflow with the history of another one's version. Without arguments, list all workflows.

    Examples: `pycomfy branch hello-fast hello@2`, `pycomfy branch`
    """
    home = Workspace.open()
    if new is None:
        found = list_branches(home)
    elif start is None:
        raise typer.BadParameter("say where it begins: pycomfy branch NEW REF", param_hint="REF")
    else:
        found = [begin_branch(home, new, start)]
    if as_json:
        rows = [{"name": v.name, "version": v.number, "commit": v.commit, "created_at": v.created_at} for v in found]
        print_json(rows if new is None else rows[0])
    else:
        for v in found:
            print(v.label, v.created_at, v.commit[:12], sep="\t")
