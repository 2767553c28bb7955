"""`revert`: an older version becomes the newest again, as a new version; nothing is taken back."""

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import CommitResult, VersionsRepository, versions_repository_path
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index


def revert(home: Paths, reference: str, progress: Progress, *, message: str | None = None) -> CommitResult:
    """A new version with the files of an older one, and so with its image. It is not new if the newest has the same.

    Raises `NotFound`.
    """
    library = VersionsRepository(versions_repository_path(home))
    old = library.find(reference)
    made = library.commit(old.name, library.read_files(old.commit), message=message or f"revert to {old.label}")
    index(home, progress)
    return made
