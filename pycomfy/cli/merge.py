"""`pycomfy merge`: take the changes of another version."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line


def merge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow that takes the changes.")],
    reference: Annotated[str, typer.Argument(metavar="REF", help="The version with the changes: hello-fast@3 …")],
    ours: Annotated[bool, typer.Option("--ours", help="Where both sides changed the same, NAME counts.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Where both sides changed the same, REF counts.")] = False,
    node: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="ID=SIDE", help="Which side counts for a node: 2=theirs. Can be given again."),
    ] = None,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new version as JSON.")] = False,
) -> None:
    """Take the changes of another version into a workflow, as a new version.

    What REF changed since the two parted is added to NAME. Conflicts are listed by node, and leave NAME as it is. Build
    the new version, to have its image.

    Example: `pycomfy merge hello hello-fast --node 2=theirs --ours`
    """
    if ours and theirs:
        raise typer.BadParameter("either --ours or --theirs", param_hint="--ours")
    from pycomfy.core.versions.merge_nodes import parse_sides
    from pycomfy.services.versions.merge import Prefer
    from pycomfy.services.versions.merge import merge as merge_version
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        prefer: Prefer = "ours" if ours else "theirs" if theirs else None
        result = merge_version(workspace, name, reference, prefer=prefer, nodes=parse_sides(node or ()))
    if as_json:
        print_json(result)
    elif result.new:
        print_line(f"{result.label} has the changes of {result.other}")
    else:
        print_line(f"{result.label}, the newest, has all changes of {result.other} already")
