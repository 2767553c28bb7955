"""`rm`: remove a workflow."""

from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.workspace import Workspace


class RemovedWorkflow(Result):
    """`commit` was the newest version's."""

    name: str
    commit: str


def rm(workspace: Workspace, name: str, *, force: bool = False) -> RemovedWorkflow:
    """Remove a workflow and its tags. Nix may then collect the images that no other version has. Raises `NotFound`;
    `BadInput` if versions would be lost, unless `force`."""
    before = _digests(workspace)
    commit = workspace.versions.remove(name, force=force)
    for digest in before - _digests(workspace):
        layout_link(workspace, digest).unlink(missing_ok=True)
    return RemovedWorkflow(name=name, commit=commit)


def _digests(workspace: Workspace) -> set[str]:
    """The manifest digest of every image in the database, which is brought up to date first."""
    index(workspace)
    if not workspace.versions.bare.exists:
        return set()
    with workspace.open_database() as database:
        return {digest for _, _, digest in database.image_keys()}
