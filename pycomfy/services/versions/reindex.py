"""`reindex`: the record, made anew from the library."""

import contextlib
import time
from dataclasses import dataclass

from pycomfy import operation
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.errors import BadInput
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Reindexed:
    """How many workflows and versions are recorded now."""

    workflows: int
    versions: int


def reindex(workspace: Workspace) -> Reindexed:
    """Record every version of the library anew, with what was built of it. Runs stay recorded for images that are.

    A record that cannot be read is put aside as `pycomfy.db.damaged-…`, and a new one is begun.
    """
    path = database_path(workspace.paths)
    if workspace.versions.names() or path.exists():
        try:
            with Database(path) as store:
                store.forget_commits()
        except BadInput as e:
            if "damaged" not in e.what:
                raise
            aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
            operation.report(f"note: the record could not be read, and was put aside: {aside}")
        index(workspace)
    with Database(path) as store:
        versions = store.commits()
    return Reindexed(len(versions), sum(len(v) for v in versions.values()))
