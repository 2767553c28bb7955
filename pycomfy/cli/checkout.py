"""`pycomfy checkout`: a version to go on working from."""

from pathlib import Path
from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line


def checkout(
    reference: Annotated[str, typer.Argument(metavar="REF", help="NAME, NAME@3, NAME@tag or NAME@commit.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to; it is made if it is missing.")],
    force: Annotated[bool, typer.Option("-f", "--force", help="Replace files that differ.")] = False,
    dry: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a version's files to a folder, to edit and build it.

    The files are workflow.json, pycomfy.lock and pycomfy.toml.

    Example: `pycomfy checkout hello@2 --to hello-2`
    """
    from pycomfy.services.versions.checkout import checkout as check_out
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = check_out(workspace, reference, to, force=force)
    if as_json:
        print_json(result)
    else:
        for file in result.files:
            print_line(file)
    for name, path in result.local_sources.items():
        print_line(f"note: {name} comes from {path}, which must be there to lock the workflow anew", error=True)
