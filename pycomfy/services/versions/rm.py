"""`rm`: remove a workflow."""

from pycomfy.errors import NotFound
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index, layout_link, list_indexed
from pycomfy.services.workspace import Workspace


class RemovedWorkflow(Result):
    """`commit` was the newest version's."""

    name: str
    commit: str


def rm(workspace: Workspace, name: str, *, force: bool = False) -> RemovedWorkflow:
    """Remove a workflow and its tags, whether its versions can be read or not. Nix may then collect the images that no
    other version has. Raises `NotFound`; `BadInput` if versions would be lost, unless `force`."""
    index(workspace)
    before, known = _digests(workspace), [v.commit for v in list_indexed(workspace, name)]
    try:
        commit = workspace.versions.remove(name, force=force)
    except NotFound:
        if not known:
            raise
        if not force:
            raise workspace.versions.lost(name) from None
        commit = known[0]  # the database alone knows it
    index(workspace, forget=[name])
    for digest in before - _digests(workspace):
        layout_link(workspace, digest).unlink(missing_ok=True)
    return RemovedWorkflow(name=name, commit=commit or (known[0] if known else ""))


def _digests(workspace: Workspace) -> set[str]:
    """The manifest digest of every image in the database."""
    if not workspace.versions.bare.exists:
        return set()
    with workspace.open_database() as database:
        return {digest for _, _, digest in database.image_keys()}
