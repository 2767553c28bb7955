"""`log`: list versions."""

from collections.abc import Mapping
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.database.connection import DatabaseError, restore_copy
from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.database.records import VersionRecord
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.versions.git import DamagedRepository
from pycomfy.adapters.versions.lookup import explain_unknown
from pycomfy.errors import NotFound, PycomfyError
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index, list_indexed
from pycomfy.services.workspace import Workspace


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


def log(workspace: Workspace, name: str | None = None) -> list[LogEntry]:
    """Return every version, or one workflow's, newest first. Raises `NotFound` for a workflow without any.

    What cannot be read now is listed as the database knows it, and reported as an error. Without a usable database, all
    that the versions repository and the database's copy have is listed."""
    try:
        versions, problems = _list(workspace, name, database_path(workspace.paths))
    except DatabaseError as e:
        operation.report_error(e)
        with scratch_folder() as folder:
            other = Path(folder, "pycomfy.db")
            restore_copy(database_path(workspace.paths), other)
            versions, problems = _list(workspace, name, other)
    for label, problem in problems.items():
        if name in (None, label.partition("@")[0]) or not label:
            operation.report_error(problem)
    if name is not None and not versions and name not in problems:
        known = sorted({v.name for v in list_indexed(workspace)})
        raise explain_unknown(name, known, workspace.versions.bare)
    return [
        LogEntry(
            name=v.name,
            version=v.version,
            commit=v.commit,
            parent=v.parent,
            message=v.message,
            created_at=v.created_at,
            manifest_digest=v.manifest_digest,
            comfyui_version=v.comfyui_version,
            size=v.size,
            summary=v.changes,
            problem=v.problem,
        )
        for v in versions
    ]


def _list(
    workspace: Workspace, name: str | None, database: Path
) -> tuple[list[VersionRecord], Mapping[str, PycomfyError]]:
    """Bring the database up to date: git may have pushed into the repository, or a command was interrupted. Return what
    it has, and what cannot be read: by workflow or version, and under "" all of the repository."""
    try:
        problems = index(workspace, database=database).problems
    except (DamagedRepository, NotFound) as e:
        problems = {"": e}
    return list_indexed(workspace, name, database=database), problems
