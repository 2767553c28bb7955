"""`log`: the versions there are."""

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.records import VersionRecord
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.errors import NotFound
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index


def log(home: Paths, progress: Progress, name: str | None = None) -> list[VersionRecord]:
    """Every version, or one workflow's, newest first. Raises `NotFound` for a workflow without any."""
    path = database_path(home)
    if VersionsRepository(versions_repository_path(home)).bare.exists:
        index(home, progress)  # of what git pushed into the library, or what was killed before it was recorded
    elif not path.exists() and name is None:
        return []
    with Database(path) as store:
        versions = store.versions(name)
        if name is not None and not versions:
            known = ", ".join(store.names()[:20]) or "none yet"
            raise NotFound(f'no workflow "{name}"', where=str(path), fix=f"`pycomfy log` lists them all: {known}")
    return versions
