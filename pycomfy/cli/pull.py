"""`pycomfy pull`: take in the versions of others."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line


def pull(
    remote: Annotated[str, typer.Argument(metavar="REMOTE", help="A git repository: an address, a path, a remote.")],
    ours: Annotated[bool, typer.Option("--ours", help="Where both sides changed the same, ours counts.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Where both sides changed the same, theirs counts.")] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happened as JSON.")] = False,
) -> None:
    """Take every workflow from another versions repository.

    Where both have new versions, they are merged. Conflicts are listed by node, and leave the workflow as it is.

    Example: `pycomfy pull git@example.org:team/workflows.git`
    """
    if ours and theirs:
        raise typer.BadParameter("either --ours or --theirs", param_hint="--ours")
    from pycomfy.services.versions.pull import pull as pull_versions
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = pull_versions(workspace, remote, prefer="ours" if ours else "theirs" if theirs else None)
    if as_json:
        print_json(result)
    else:
        for name, state in result.workflows.items():
            print_line(name, state, sep="\t")
