"""`reindex`: put right what can be in versions repository and database, and read every version anew."""

from collections.abc import Mapping
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.database.connection import UnusableDatabase, put_aside
from pycomfy.adapters.database.copy import copy_path
from pycomfy.adapters.database.database import Database, database_path, is_there
from pycomfy.adapters.database.inspection import inspect_database
from pycomfy.adapters.io.permissions import refuse_unreadable
from pycomfy.errors import PycomfyError
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.repair import repair_versions
from pycomfy.services.workspace import Workspace


class ReindexResult(Result):
    """How many workflows and versions the database has now."""

    workflows: int
    versions: int


def reindex(workspace: Workspace) -> ReindexResult:
    """Read every version of the versions repository anew, with the images that were built of it. Runs are kept for
    images that are still there.

    A database that cannot be used is put aside as `pycomfy.db.damaged-MOMENT`, or `.outdated-MOMENT` if a development
    version made it; a new one begins as its copy. Branches, tags and images that the versions repository lost are put
    back, as far as it or the database knows them. What cannot be read is reported as an error, and stays as the
    database has it. Raises `BadInput` for what this user may not read, before anything is changed.
    """
    path = database_path(workspace.paths)
    if not workspace.versions.bare.exists and not is_there(path):
        return ReindexResult(workflows=0, versions=0)
    refuse_unreadable(path, copy_path(path), workspace.versions.path)
    _open_anew(workspace)
    try:
        problems = _read_anew(workspace)
    except UnusableDatabase as e:  # what no check of SQLite's sees
        _begin_anew(workspace, e.state)
        problems = _read_anew(workspace)
    for problem in problems.values():
        operation.report_error(problem)
    with Database(path) as database, database.writing():
        known = database.commits()
    return ReindexResult(workflows=len(known), versions=sum(len(v) for v in known.values()))


def _read_anew(workspace: Workspace) -> Mapping[str, PycomfyError]:
    repair_versions(workspace)
    return index(workspace, anew=True).problems


def _open_anew(workspace: Workspace) -> None:
    """Put aside a database that cannot be used, or is not as it was written; then its copy as well, if a database that
    begins as that is no better."""
    path = database_path(workspace.paths)
    found = inspect_database(path)
    state = "damaged" if found is not None and found.damage and found.size else _find_state(path)
    if state:
        _begin_anew(workspace, state, lost=found is not None and bool(found.copy_damage))


def _begin_anew(workspace: Workspace, state: str, *, lost: bool = False) -> None:
    """Put the database aside. `lost` says whether its copy is known to be damaged."""
    path = database_path(workspace.paths)
    aside = path.with_name(f"{path.name}.{state}-{workspace.clock():%Y%m%dT%H%M%S.%f}")
    put_aside(path, aside)
    operation.report(f"note: the database could not be used, and was put aside: {aside}")
    copy = copy_path(path)
    lost = lost or not copy.exists()
    if _find_state(path):
        put_aside(path, aside.with_name(f"{aside.name}.copy"))
        copy.replace(aside.with_name(f"{aside.name}.copy.zst"))
        lost = True
    if lost:
        operation.report("warning: runs, and logs of builds, that only it knew are not in the new one")


def _find_state(path: Path) -> str:
    """Return why the database cannot be used, in a word; "" if it can."""
    try:
        with Database(path) as database:
            database.check()
    except UnusableDatabase as e:
        return e.state
    return ""
