"""`branch`: workflows, which are branches; a new one begins with the history of a version."""

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import Version, VersionsRepository, versions_repository_path
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index


def branch(home: Paths, new: str, start: str, progress: Progress) -> Version:
    """Begin the workflow `new` at a version; its newest version. Raises `NotFound`, or `BadInput` if it exists."""
    library = VersionsRepository(versions_repository_path(home))
    library.branch(new, library.find(start))
    index(home, progress)
    return library.find(new)


def list_branches(home: Paths) -> list[Version]:
    """The newest version of every workflow."""
    library = VersionsRepository(versions_repository_path(home))
    return [library.find(name) for name in library.names()]
