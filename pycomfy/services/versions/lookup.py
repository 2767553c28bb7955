"""Look up versions by reference: their projects in the versions repository, their images in the database."""

from pycomfy.adapters.containers.layout import LayoutImage
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import NotFound, Placeholder, suggest
from pycomfy.services.project import host_platform
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace


def read_project(workspace: Workspace, reference: Reference | str) -> dict[str, bytes]:
    """Return every file of a version's project, by path. Raises `NotFound`, or `BadInput` for a malformed reference."""
    versions = workspace.versions
    return versions.read_files(versions.find(reference).commit)


def layout_of(record: ImageRecord) -> LayoutImage:
    """Return a recorded image as one of an OCI layout, which is not read."""
    return LayoutImage(
        record.layout, record.manifest_digest, record.config_digest, (), record.diff_ids, record.platform, record.size
    )


def find_image(workspace: Workspace, reference: Reference, platform: PlatformName | None = None) -> ImageRecord:
    """Return the newest image of a version for `platform`, None for this machine's; of the newest version that has one,
    if `reference` names no version. Raises `NotFound`."""
    index(workspace)
    version = workspace.versions.find(reference)
    if version.number is None:
        raise NotFound(
            f"{reference} came in by a merge, and has no number along the branch",
            where=str(workspace.versions.path),
            fix=suggest("branch", "then use NEW", new=Placeholder("NEW"), start=str(reference)),
        )
    number = version.number if reference != Reference(reference.name) else None
    platform = platform or host_platform()
    with workspace.open_database() as database:
        found = database.find_image(reference.name, number, platform)
        other = found or database.find_image(reference.name, number)
        where = str(database.path)
    if found is not None:
        return found
    label, folder = str(reference), Placeholder("DIR")
    if other is not None:
        what = f"{reference} was built for {other.platform} alone"
        note = f"then build DIR for {platform}"
        raise NotFound(what, where=where, fix=suggest("checkout", note, reference=label, to=folder))
    fix = suggest("checkout", "then build DIR", reference=label, to=folder)
    raise NotFound(f"no image of {reference}", where=where, fix=fix)
