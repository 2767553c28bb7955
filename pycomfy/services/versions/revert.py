"""`revert`: make an older version the newest again, as a new version; nothing is taken back."""

from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.reference import Reference
from pycomfy.services.results import Result
from pycomfy.services.versions.diff import read_version
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class RevertResult(VersionResult):
    """The newest version. `new` is False if it had the same files before."""

    new: bool


class RevertPlan(Result):
    """What a revert would do: `version` is the newest one's number then; `new` is False if that has the same files
    already. `changes` are those from the newest version, a line each."""

    name: str
    version: int
    new: bool
    changes: tuple[str, ...]


def revert(workspace: Workspace, reference: str, *, message: str | None = None) -> RevertResult:
    """Commit the files of an older version, and so its image, as the newest version. Raises `NotFound`."""
    versions = workspace.versions
    old = versions.find(reference)
    version, new = versions.commit(
        old.name,
        versions.read_files(old.commit),
        message=message or f"revert to {old.label}",
        created_at=workspace.clock(),
    )
    index(workspace)
    return RevertResult(name=version.name, version=version.number, commit=version.commit, new=new)


def plan_revert(workspace: Workspace, reference: str) -> RevertPlan:
    """Return what a revert would do. Raises `NotFound`."""
    versions = workspace.versions
    old = versions.find(reference)
    newest = versions.find(Reference(old.name))
    new = old.tree != newest.tree
    changes = describe_diff(diff(*(read_version(versions, one) for one in (newest, old)))) if new else []
    return RevertPlan(name=old.name, version=(newest.number or 0) + new, new=new, changes=tuple(changes))
