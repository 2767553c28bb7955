"""`pycomfy revert`: an older version becomes the newest again."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line


def revert(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The version to go back to: NAME@3, NAME@tag …")],
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Why.")] = None,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new version as JSON.")] = False,
) -> None:
    """Make a new version with the contents of an older one.

    Nothing in between is lost.

    Example: `pycomfy revert hello@1 -m "the new sampler was worse"`
    """
    from pycomfy.services.versions.revert import revert as revert_version
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = revert_version(workspace, reference, message=message)
    if as_json:
        print_json(result)
    elif result.new:
        print_line(f"{result.label} is what {reference} was")
    else:
        print_line(f"{result.label}, the newest, is what {reference} was already")
