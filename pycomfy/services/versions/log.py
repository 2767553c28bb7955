"""`log`: list versions."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from pycomfy import operation
from pycomfy.adapters.database.connection import DatabaseError, restore_copy
from pycomfy.adapters.database.database import Database, database_path, is_there
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.versions.git import DamagedRepository
from pycomfy.adapters.versions.lookup import explain_unknown
from pycomfy.errors import NotFound, PycomfyError
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index, list_indexed
from pycomfy.services.workspace import Workspace

T = TypeVar("T")


class LogEntry(Result):
    """A version along its workflow's branch, `version` is its number there. One that came in by a merge has no number,
    and is not listed: the version that merged it says what changed. `parent` is None for the first. `manifest_digest`
    and `size` (bytes) are its newest image's, None if none was built. `summary` says what changed from the parent, a
    line each. `created_at` is UTC, as in 2025-12-05T09:30:00Z. `problem` says why its files cannot be read, None if
    they can; `comfyui_version` is "" then."""

    name: str
    version: int
    commit: str
    parent: str | None
    message: str
    created_at: str
    manifest_digest: str | None
    comfyui_version: str
    size: int | None
    summary: tuple[str, ...] = ()
    problem: str | None = None


class NewestEntry(LogEntry):
    """The newest version of a workflow, which has so many `versions`."""

    versions: int


def log(workspace: Workspace, name: str | None = None) -> list[LogEntry]:
    """Return every version, or one workflow's, newest first. Raises `NotFound` for a workflow without any.

    What cannot be read now is listed as the database knows it, and reported as an error. Without a usable database, all
    that the versions repository and the database's copy have is listed."""
    found, problems = _read_entries(workspace, name)
    if name is not None and not found and name not in problems:
        known = sorted({v.name for v in list_indexed(workspace)})
        raise explain_unknown(name, known, workspace.versions.bare)
    return found


def list_versions(workspace: Workspace, name: str) -> list[LogEntry]:
    """Return the versions of a workflow as `log` does; none of one that was never built."""
    return _read_entries(workspace, name)[0]


def log_newest(workspace: Workspace, name: str | None = None) -> list[NewestEntry]:
    """Return the newest version of every workflow, or of one, with how many that has; otherwise as `log`."""
    found, _ = _read(workspace, name, lambda database: database.newest(name))
    return _newest_entries().validate_python(found, from_attributes=True)


def _read_entries(workspace: Workspace, name: str | None) -> tuple[list[LogEntry], Mapping[str, PycomfyError]]:
    versions, problems = _read(workspace, name, lambda database: database.versions(name))
    return _entries().validate_python(versions, from_attributes=True), problems


@cache
def _entries() -> TypeAdapter[list[LogEntry]]:
    """Makes entries of records, which have their fields; of thousands in half the time of one after the other."""
    return TypeAdapter(list[LogEntry])


@cache
def _newest_entries() -> TypeAdapter[list[NewestEntry]]:
    return TypeAdapter(list[NewestEntry])


def _read(
    workspace: Workspace, name: str | None, read: Callable[[Database], list[T]]
) -> tuple[list[T], Mapping[str, PycomfyError]]:
    """Return what `read` finds in the database, once it is up to date; and what cannot be read, which is reported."""
    path = database_path(workspace.paths)
    try:
        found, problems = _list(workspace, path, read)
    except DatabaseError as e:
        operation.report_error(e)
        with scratch_folder() as folder:
            other = Path(folder, "pycomfy.db")
            restore_copy(path, other)
            found, problems = _list(workspace, other, read)
    for label, problem in problems.items():
        if name in (None, label.partition("@")[0]) or not label:
            operation.report_error(problem)
    return found, problems


def _list(
    workspace: Workspace, database: Path, read: Callable[[Database], list[T]]
) -> tuple[list[T], Mapping[str, PycomfyError]]:
    """Bring the database up to date: git may have pushed into the repository, or a command was interrupted. Return what
    it has, and what cannot be read: by workflow or version, and under "" all of the repository."""
    try:
        problems = index(workspace, database=database).problems
    except (DamagedRepository, NotFound) as e:
        problems = {"": e}
    if not is_there(database):
        return [], problems
    with Database(database) as opened:
        return read(opened), problems
