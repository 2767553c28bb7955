"""`reindex`: fill the database anew from the versions repository."""

import contextlib

from pycomfy import operation
from pycomfy.adapters.database.connection import UnusableDatabase
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


class ReindexResult(Result):
    """How many workflows and versions the database has now."""

    workflows: int
    versions: int


def reindex(workspace: Workspace) -> ReindexResult:
    """Read every version of the versions repository anew, with the images that were built of it. Runs are kept for
    images that are still there.

    A database that cannot be used is put aside as `pycomfy.db.damaged-MOMENT`, or `.outdated-MOMENT` if a development
    version made it, and a new one is begun.
    """
    path = database_path(workspace.paths)
    if workspace.versions.names() or path.exists():
        try:
            with Database(path) as database:
                database.forget_commits()
        except UnusableDatabase as e:
            aside = path.with_name(f"{path.name}.{e.state}-{workspace.clock():%Y%m%dT%H%M%S.%f}")
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
            operation.report(f"note: the database could not be used, and was put aside: {aside}")
        index(workspace)
    with Database(path) as database:
        versions = database.commits()
    return ReindexResult(workflows=len(versions), versions=sum(len(v) for v in versions.values()))
