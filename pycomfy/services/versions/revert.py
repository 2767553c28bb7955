"""`revert`: make an older version the newest again, as a new version; nothing is taken back."""

from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class RevertResult(VersionResult):
    """The newest version. `new` is False if it had the same files before."""

    new: bool


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
