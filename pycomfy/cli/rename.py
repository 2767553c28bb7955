"""`pycomfy rename`: another name for a workflow."""

from typing import Annotated

import typer

from pycomfy.actions.rename import rename as rename_workflow
from pycomfy.cli.progress import make_progress
from pycomfy.outside.home import find_home


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The workflow.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
) -> None:
    """Rename a workflow, with all its versions and tags. What you checked out of it keeps the old name in its lock.

    Example: `pycomfy rename hello greeting`
    """
    version = rename_workflow(find_home(), old, new, make_progress())
    print(f"{old} is {version.label} now; `pycomfy lock --name {new}` names its folder so")
