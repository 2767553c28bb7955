"""`log`: list versions."""

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.errors import NotFound, suggest
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace

_MAX_NAMES = 20  # in one error message


class LogEntry(Result):
    """A version; `parent` is None for the first. `manifest_digest` and `size` (bytes) are its newest image's, None if
    none was built. `summary` says what changed from the parent, a line each. `created_at` is UTC, as in
    2025-12-05T09:30:00Z."""

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


def log(workspace: Workspace, name: str | None = None) -> list[LogEntry]:
    """Return every version, or one workflow's, newest first. Raises `NotFound` for a workflow without any."""
    path = database_path(workspace.paths)
    if workspace.versions.bare.exists:
        index(workspace)  # what git pushed into the repository, or an interrupted command did not index
    elif not path.exists() and name is None:
        return []
    with Database(path) as database:
        versions = database.versions(name)
        if name is not None and not versions:
            known = ", ".join(database.names()[:_MAX_NAMES]) or "none yet"
            raise NotFound(f'no workflow "{name}"', where=str(path), fix=suggest("log", f"lists them all: {known}"))
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
        )
        for v in versions
    ]
