"""`branch`: workflows, which are branches; a new one begins with the history of a version."""

from pycomfy.adapters.versions.repository import Version
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


def branch(workspace: Workspace, new: str, start: str) -> Version:
    """Begin the workflow `new` at a version; its newest version. Raises `NotFound`, or `BadInput` if it exists."""
    library = workspace.versions
    library.branch(new, library.find(start))
    index(workspace)
    return library.find(new)


def list_branches(workspace: Workspace) -> list[Version]:
    """The newest version of every workflow."""
    library = workspace.versions
    return [library.find(name) for name in library.names()]
