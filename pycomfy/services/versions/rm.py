"""`rm`: a workflow is removed from the library, and from the record."""

from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.workspace import Workspace


def rm(workspace: Workspace, name: str, *, force: bool = False) -> str:
    """Remove a workflow with its tags; the commit that was its newest. Nix may collect the images that no other version
    has. Raises `NotFound`; `BadInput` for versions that would be lost, unless `force`."""
    before = _digests(workspace)
    commit = workspace.versions.remove(name, force=force)
    for digest in before - _digests(workspace):
        layout_link(workspace, digest).unlink(missing_ok=True)
    return commit


def _digests(workspace: Workspace) -> set[str]:
    index(workspace)
    with workspace.open_database() as store:
        return {digest for _, _, digest in store.image_keys()}
