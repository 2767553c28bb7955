"""`rename`: a workflow gets another name, with all its versions and tags."""

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import Version, VersionsRepository, versions_repository_path
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index


def rename(home: Paths, old: str, new: str, progress: Progress) -> Version:
    """The newest version under its new name. Raises `NotFound`, or `BadInput` if there is a `new` already."""
    library = VersionsRepository(versions_repository_path(home))
    library.rename(old, new)
    index(home, progress)
    return library.find(new)
