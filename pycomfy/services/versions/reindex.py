"""`reindex`: the record, made anew from the library."""

import contextlib
import time
from dataclasses import dataclass

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.errors import BadInput
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index


@dataclass(frozen=True)
class Reindexed:
    """How many workflows and versions are recorded now."""

    workflows: int
    versions: int


def reindex(home: Paths, progress: Progress) -> Reindexed:
    """Record every version of the library anew, with what was built of it. Runs stay recorded for images that are.

    A record that cannot be read is put aside as `pycomfy.db.damaged-…`, and a new one is begun.
    """
    path = database_path(home)
    if VersionsRepository(versions_repository_path(home)).names() or path.exists():
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
            progress.say(f"note: the record could not be read, and was put aside: {aside}")
        index(home, progress)
    with Database(path) as store:
        versions = store.commits()
    return Reindexed(len(versions), sum(len(v) for v in versions.values()))
