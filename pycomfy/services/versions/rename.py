"""`rename`: a workflow gets another name, with all its versions and tags."""

from pycomfy.adapters.versions.repository import Version
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


def rename(workspace: Workspace, old: str, new: str) -> Version:
    """The newest version under its new name. Raises `NotFound`, or `BadInput` if there is a `new` already."""
    library = workspace.versions
    library.rename(old, new)
    index(workspace)
    return library.find(new)
