"""`branch`: list workflows, which are branches, and begin one with the history of another's version."""

from pycomfy import operation
from pycomfy.adapters.versions.git import DamagedRepository
from pycomfy.adapters.versions.version import Version
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class BranchEntry(VersionResult):
    """The newest version of a workflow. `created_at` is UTC, as in 2025-12-05T09:30:00Z."""

    created_at: str


def branch(workspace: Workspace, new: str, start: str) -> BranchEntry:
    """Begin the workflow `new` at the version `start`. Raises `NotFound`, or `BadInput` if `new` exists."""
    versions = workspace.versions
    versions.branch(new, versions.find(start))
    index(workspace)
    return _describe(versions.find(new))


def list_branches(workspace: Workspace) -> list[BranchEntry]:
    """Return every workflow, sorted by name; what cannot be read is reported."""
    versions, found = workspace.versions, []
    for name in versions.names():
        try:
            found.append(_describe(versions.find(name)))
        except DamagedRepository as e:
            operation.report_error(e)
    for name in sorted(versions.lost_names(versions.tips())):
        operation.report_error(versions.lost(name))
    return found


def _describe(version: Version) -> BranchEntry:
    return BranchEntry(name=version.name, version=version.number, commit=version.commit, created_at=version.created_at)
