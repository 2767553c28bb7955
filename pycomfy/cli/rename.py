"""`pycomfy rename`: another name for a workflow."""

from typing import Annotated

import typer

from pycomfy.adapters.io.paths import find_paths
from pycomfy.cli.progress import make_progress
from pycomfy.services.versions.rename import rename as rename_workflow


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The workflow.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
) -> None:
    """Rename a workflow, with all its versions and tags. What you checked out of it keeps the old name in its lock.

    Example: `pycomfy rename hello greeting`
    """
    version = rename_workflow(find_paths(), old, new, make_progress())
    print(f"{old} is {version.label} now; `pycomfy lock --name {new}` names its folder so")
