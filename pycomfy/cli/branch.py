"""`pycomfy branch`: workflows are branches."""

from typing import Annotated

import typer

from pycomfy.adapters.io.paths import find_paths
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import make_progress
from pycomfy.services.versions.branch import branch as begin_branch
from pycomfy.services.versions.branch import list_branches


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
    home = find_paths()
    if new is None:
        found = list_branches(home)
    elif start is None:
        raise typer.BadParameter("say where it begins: pycomfy branch NEW REF", param_hint="REF")
    else:
        found = [begin_branch(home, new, start, make_progress())]
    if as_json:
        rows = [{"name": v.name, "version": v.number, "commit": v.commit, "created_at": v.created_at} for v in found]
        print_json(rows if new is None else rows[0])
    else:
        for v in found:
            print(v.label, v.created_at, v.commit[:12], sep="\t")
