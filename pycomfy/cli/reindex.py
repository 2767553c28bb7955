"""`pycomfy reindex`: the record, made anew."""

from dataclasses import asdict
from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.services.versions.reindex import reindex as reindex_all
from pycomfy.services.workspace import Workspace


def reindex(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Make the record anew from the library, as after the database was lost.

    Example: `pycomfy reindex`
    """
    done = reindex_all(Workspace.open())
    if as_json:
        print_json(asdict(done))
    else:
        print(f"{done.versions} versions of {done.workflows} workflows")
