"""`log`: the versions there are."""

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.records import VersionRecord
from pycomfy.errors import NotFound
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


def log(workspace: Workspace, name: str | None = None) -> list[VersionRecord]:
    """Every version, or one workflow's, newest first. Raises `NotFound` for a workflow without any."""
    path = database_path(workspace.paths)
    if workspace.versions.bare.exists:
        index(workspace)  # of what git pushed into the library, or what was killed before it was recorded
    elif not path.exists() and name is None:
        return []
    with Database(path) as store:
        versions = store.versions(name)
        if name is not None and not versions:
            known = ", ".join(store.names()[:20]) or "none yet"
            raise NotFound(f'no workflow "{name}"', where=str(path), fix=f"`pycomfy log` lists them all: {known}")
    return versions
