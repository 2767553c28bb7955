"""`pycomfy revert`: an older version becomes the newest again."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json


def revert(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The version to go back to: NAME@3, NAME@tag …")],
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Why.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new version as JSON.")] = False,
) -> None:
    """Make a new version with the contents of an older one.

    Nothing in between is lost.

    Example: `pycomfy revert hello@1 -m "the new sampler was worse"`
    """
    from pycomfy.services.versions.revert import revert as revert_version
    from pycomfy.services.workspace import Workspace

    result = revert_version(Workspace.open(), reference, message=message)
    if as_json:
        print_json(result)
    elif result.new:
        print(f"{result.label} is what {reference} was")
    else:
        print(f"{result.label}, the newest, is what {reference} was already")
