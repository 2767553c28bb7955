"""`log`: list versions."""

from pycomfy.adapters.versions.lookup import explain_unknown
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index, list_indexed
from pycomfy.services.workspace import Workspace


class LogEntry(Result):
    """A version along its workflow's branch, `version` is its number there. One that came in by a merge has no number,
    and is not listed: the version that merged it says what changed. `parent` is None for the first. `manifest_digest`
    and `size` (bytes) are its newest image's, None if none was built. `summary` says what changed from the parent, a
    line each. `created_at` is UTC, as in 2025-12-05T09:30:00Z."""

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
    if workspace.versions.bare.exists:
        index(workspace)  # what git pushed into the repository, or an interrupted command did not index
    versions = list_indexed(workspace, name)
    if name is not None and not versions:
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
        )
        for v in versions
    ]
