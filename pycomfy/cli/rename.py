"""`pycomfy rename`: another name for a workflow."""

from typing import Annotated

import typer

from pycomfy.services.versions.rename import rename as rename_workflow
from pycomfy.services.workspace import Workspace


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The workflow.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
) -> None:
    """Rename a workflow, with all its versions and tags. What you checked out of it keeps the old name in its lock.

    Example: `pycomfy rename hello greeting`
    """
    version = rename_workflow(Workspace.open(), old, new)
    print(f"{old} is {version.label} now; `pycomfy lock --name {new}` names its folder so")
