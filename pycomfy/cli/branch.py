"""`pycomfy branch`: workflows are branches."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.no_versions import print_no_versions
from pycomfy.cli.terminal import print_line


def branch(
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="The new workflow's name.", show_default=False)
    ] = None,
    start: Annotated[
        str | None, typer.Argument(metavar="REF", help="The version it begins with.", show_default=False)
    ] = None,
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
        found = [begin_branch(workspace, new, start)]
    if as_json:
        print_json(found if new is None else found[0])
    elif not found:
        print_no_versions()
    else:
        for entry in found:
            print_line(entry.label, entry.created_at, entry.commit[:12], sep="\t")
