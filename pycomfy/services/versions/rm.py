"""`rm`: a workflow is removed from the library, and from the record."""

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.progress import Progress
from pycomfy.services.versions.indexing import index, layout_link


def rm(home: Paths, name: str, progress: Progress, *, force: bool = False) -> str:
    """Remove a workflow with its tags; the commit that was its newest. Nix may collect the images that no other version
    has. Raises `NotFound`; `BadInput` for versions that would be lost, unless `force`."""
    before = _digests(home, progress)
    commit = VersionsRepository(versions_repository_path(home)).remove(name, force=force)
    for digest in before - _digests(home, progress):
        layout_link(home, digest).unlink(missing_ok=True)
    return commit


def _digests(home: Paths, progress: Progress) -> set[str]:
    index(home, progress)
    with Database(database_path(home)) as store:
        return {digest for _, _, digest in store.image_keys()}
