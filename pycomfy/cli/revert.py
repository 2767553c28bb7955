"""`pycomfy revert`: an older version becomes the newest again."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.services.versions.revert import revert as revert_version
from pycomfy.services.workspace import Workspace


def revert(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The version to go back to: NAME@3, NAME@tag …")],
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Why.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new version as JSON.")] = False,
) -> None:
    """Make a new version that is what an older one was. Nothing in between is lost.

    Example: `pycomfy revert hello@1 -m "the new sampler was worse"`
    """
    version, new = revert_version(Workspace.open(), reference, message=message)
    if as_json:
        value = {"name": version.name, "version": version.number, "commit": version.commit, "new": new}
        print_json(value)
    elif new:
        print(f"{version.label} is what {reference} was")
    else:
        print(f"{version.label}, the newest, is what {reference} was already")
