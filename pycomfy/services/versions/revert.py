"""`revert`: an older version becomes the newest again, as a new version; nothing is taken back."""

from pycomfy.adapters.versions.repository import CommitResult
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


def revert(workspace: Workspace, reference: str, *, message: str | None = None) -> CommitResult:
    """A new version with the files of an older one, and so with its image. It is not new if the newest has the same.

    Raises `NotFound`.
    """
    library = workspace.versions
    old = library.find(reference)
    made = library.commit(old.name, library.read_files(old.commit), message=message or f"revert to {old.label}")
    index(workspace)
    return made
