"""`rename`: give a workflow another name, with all its versions and tags."""

from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class RenameResult(VersionResult):
    """The newest version under its new name; `old` is the name that it had."""

    old: str


def rename(workspace: Workspace, old: str, new: str) -> RenameResult:
    """Rename a workflow. Raises `NotFound`, or `BadInput` if there is a workflow `new`."""
    versions = workspace.versions
    versions.rename(old, new)
    index(workspace, forget=[old])
    version = versions.find(new)
    return RenameResult(name=version.name, version=version.number, commit=version.commit, old=old)
