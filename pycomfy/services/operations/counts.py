"""Count what is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass

from pycomfy.adapters.database.database import database_path, is_there
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Counts:
    """How many there are; `operations` by kind and state."""

    operations: Mapping[tuple[str, str], int]
    workflows: int
    versions: int


def count_recorded(workspace: Workspace) -> Counts:
    """Return the counts of the database, as it is: nothing is indexed."""
    if not is_there(database_path(workspace.paths)):
        return Counts({}, 0, 0)
    with workspace.open_database() as database:
        workflows, versions = database.count_versions()
        return Counts(database.count_operations(), workflows, versions)
