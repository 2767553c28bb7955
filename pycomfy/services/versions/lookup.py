"""Versions by reference: in the library, with their projects; and in the record, with their images."""

from pycomfy.adapters.database.records import ImageRecord
from pycomfy.adapters.versions.repository import Version
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import NotFound
from pycomfy.services.realise import host_platform
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


def find_version(workspace: Workspace, reference: Reference | str) -> Version:
    """Raises `NotFound`, or `BadInput` for what names no version."""
    return workspace.versions.find(reference)


def read_project(workspace: Workspace, reference: Reference | str) -> dict[str, bytes]:
    """Every file of a version's project, by path. Raises `NotFound`."""
    library = workspace.versions
    return library.read_files(library.find(reference).commit)


def find_record(workspace: Workspace, reference: Reference) -> ImageRecord:
    """The newest image of a version for this machine's platform; of the newest version that has one, if `reference`
    names none. Raises `NotFound`."""
    index(workspace)
    version = find_version(workspace, reference)
    if version.number is None:
        what = f"{reference} came in by a merge, and has no number along the branch"
        raise NotFound(what, where="the library", fix=f"pycomfy branch NEW {reference}; then use NEW")
    number = version.number if reference != Reference(reference.name) else None
    with workspace.open_database() as store:
        found = store.find_image(reference.name, number, host_platform())
        other = found or store.find_image(reference.name, number)
    if found is not None:
        return found
    if other is not None:
        what = f"{reference} was built for {other.platform} alone"
        raise NotFound(what, where=str(store.path), fix=f"build it for {host_platform()}")
    raise NotFound(
        f"no image of {reference}",
        where=str(store.path),
        fix=f"`pycomfy checkout {reference} --to DIR`, then `pycomfy build DIR`",
    )
