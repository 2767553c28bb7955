"""`pycomfy pull`: take in what others have in their library."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.services.versions.pull import Prefer
from pycomfy.services.versions.pull import pull as pull_library
from pycomfy.services.workspace import Workspace


def pull(
    remote: Annotated[str, typer.Argument(metavar="REMOTE", help="A git repository: an address, a path, a remote.")],
    ours: Annotated[bool, typer.Option("--ours", help="Where both sides changed the same, ours counts.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Where both sides changed the same, theirs counts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happened as JSON.")] = False,
) -> None:
    """Take in every workflow of another library. Where both have new versions, they are merged; conflicts are told.

    Example: `pycomfy pull git@example.org:team/workflows.git`
    """
    if ours and theirs:
        raise typer.BadParameter("either --ours or --theirs", param_hint="--ours")
    prefer: Prefer = "ours" if ours else "theirs" if theirs else None
    result = pull_library(Workspace.open(), remote, prefer=prefer)
    if as_json:
        print_json({"remote": result.remote, "workflows": result.workflows})
    else:
        for name, state in result.workflows.items():
            print(name, state, sep="\t")
