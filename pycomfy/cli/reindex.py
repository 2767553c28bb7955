"""`pycomfy reindex`: the database, filled anew."""

from typing import Annotated

import typer

from pycomfy.cli.dry_run import DryRun, maybe_dry
from pycomfy.cli.json_output import print_json
from pycomfy.cli.progress import count
from pycomfy.cli.terminal import print_line


def reindex(
    dry: DryRun = False, as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False
) -> None:
    """Rebuild the database from the versions repository.

    Example: `pycomfy reindex`
    """
    from pycomfy.services.versions.reindex import reindex as fill_database
    from pycomfy.services.workspace import Workspace

    with maybe_dry(Workspace.open(), dry=dry) as workspace:
        result = fill_database(workspace)
    if as_json:
        print_json(result)
    else:
        print_line(f"{count(result.versions, 'version')} of {count(result.workflows, 'workflow')}")
