"""`tag`: names for versions."""

from pycomfy.adapters.versions.repository import Version
from pycomfy.services.workspace import Workspace


def tag(workspace: Workspace, name: str, reference: str, *, force: bool = False) -> Version:
    """Call a version by a tag: NAME@tag. Raises `NotFound`; `BadInput` if it is another version's, unless `force`."""
    library = workspace.versions
    version = library.find(reference)
    library.tag(name, version, force=force)
    return version


def untag(workspace: Workspace, name: str, workflow: str) -> str:
    """Remove a workflow's tag; the commit it stood for. Raises `NotFound`."""
    return workspace.versions.untag(workflow, name)


def list_tags(workspace: Workspace) -> dict[str, Version]:
    """Every version that has a tag, by `NAME@tag`."""
    library = workspace.versions
    names = set(library.names())
    return {label: library.find(label) for label in library.tags() if label.partition("@")[0] in names}
