"""Put right what is damaged in the versions repository, as far as it or the database still knows it."""

from pycomfy import operation
from pycomfy.adapters.database.connection import DatabaseError
from pycomfy.adapters.database.database import database_path, is_there
from pycomfy.adapters.io.permissions import refuse_unreadable
from pycomfy.adapters.versions.image_refs import restore_images
from pycomfy.adapters.versions.integrity import repair
from pycomfy.services.versions.indexing import list_indexed
from pycomfy.services.workspace import Workspace


def repair_versions(workspace: Workspace) -> None:
    """Put right what can be, and report it. Without a repository nothing is done. Raises `BadInput` for a file of it
    that this user may not read: that is not damaged."""
    bare, known = workspace.versions.bare, list_known(workspace)
    if not bare.exists:
        return
    refuse_unreadable(bare.path)
    with bare.writing():
        done = [*repair(bare, known), *_restore_images(workspace)]
        for line in done:
            operation.report(f"note: versions repository: {line}")


def _restore_images(workspace: Workspace) -> list[str]:
    if not is_there(database_path(workspace.paths)):
        return []
    try:
        with workspace.open_database() as database:
            known = database.descriptions()
    except (DatabaseError, ValueError):
        return []
    return restore_images(workspace.versions.bare, known)


def list_known(workspace: Workspace) -> dict[str, list[str]]:
    """Return the commits of each workflow, newest first, as the database knows them; none if it cannot be used."""
    found: dict[str, list[str]] = {}
    try:
        versions = list_indexed(workspace)
    except DatabaseError:
        return {}
    for version in sorted(versions, key=lambda v: -v.version):
        found.setdefault(version.name, []).append(version.commit)
    return found
