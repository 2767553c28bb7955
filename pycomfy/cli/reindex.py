"""`pycomfy reindex`: the record, made anew."""

from dataclasses import asdict
from typing import Annotated

import typer

from pycomfy.actions.reindex import reindex as reindex_all
from pycomfy.cli.printing import print_json
from pycomfy.cli.progress import make_progress
from pycomfy.outside.home import find_home


def reindex(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Make the record anew from the library, as after the database was lost.

    Example: `pycomfy reindex`
    """
    done = reindex_all(find_home(), make_progress())
    if as_json:
        print_json(asdict(done))
    else:
        print(f"{done.versions} versions of {done.workflows} workflows")
