"""`pycomfy rename`: another name for a workflow."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.terminal import print_line


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The workflow.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    dry: DryRun = False,
) -> None:
    """Rename a workflow, with all its versions and tags.

    A lock that was checked out of it keeps the old name.

    Example: `pycomfy rename hello greeting`
    """
    from pycomfy.cli.fixes import with_fixes
    from pycomfy.errors import suggest
    from pycomfy.services.versions.rename import rename as rename_workflow
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = rename_workflow(workspace, old, new)
    print_line(with_fixes(f"{result.old} is {result.label} now", suggest("lock", "renames it in its folder", name=new)))
