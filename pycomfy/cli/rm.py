"""`pycomfy rm`: a workflow is removed."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.terminal import print_line


def rm(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow.")],
    force: Annotated[bool, typer.Option("-f", "--force", help="Also if versions are lost by it.")] = False,
    dry: DryRun = False,
) -> None:
    """Remove a workflow with its versions and tags.

    Versions that no other workflow has are lost.

    Images that no other version has are no longer kept: `pycomfy gc` frees their disk. What was loaded into Podman or
    Docker stays there.

    Example: `pycomfy rm hello --force`
    """
    from pycomfy.services.versions.rm import rm as remove
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = remove(workspace, name, force=force)
    print_line(f"removed {result.name}, its newest version was {result.commit}")
