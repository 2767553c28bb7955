"""Put right what is damaged in the versions repository, as far as it or the database still knows it."""

from pycomfy import operation
from pycomfy.adapters.database.connection import DatabaseError
from pycomfy.adapters.versions.integrity import repair
from pycomfy.services.versions.indexing import list_indexed
from pycomfy.services.workspace import Workspace


def repair_versions(workspace: Workspace) -> None:
    """Put right what can be, and report it. Without a repository nothing is done."""
    bare, known = workspace.versions.bare, list_known(workspace)
    if not bare.exists:
        return
    with bare.writing():
        for line in repair(bare, known):
            operation.report(f"note: versions repository: {line}")


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
