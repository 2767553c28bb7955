"""`rename`: a workflow gets another name, with all its versions and tags."""

from pycomfy.adapters.io.paths import Home
from pycomfy.adapters.versions.repository import Library, Version, library_path
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index


def rename(home: Home, old: str, new: str, progress: Progress) -> Version:
    """The newest version under its new name. Raises `NotFound`, or `BadInput` if there is a `new` already."""
    library = Library(library_path(home))
    library.rename(old, new)
    index(home, progress)
    return library.find(new)
