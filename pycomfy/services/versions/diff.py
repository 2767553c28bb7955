"""`diff`: what changed from one version to another."""

from pycomfy.adapters.versions.repository import Version, VersionsRepository
from pycomfy.core.versions.diff import Diff
from pycomfy.core.versions.diff import diff as compare
from pycomfy.core.versions.snapshot import FILES, Snapshot, read_snapshot
from pycomfy.services.workspace import Workspace


def diff(workspace: Workspace, old: str, new: str | None = None) -> Diff:
    """What changed from `old` to `new`; without it, to the newest version of the same workflow. Raises `NotFound`."""
    library = workspace.versions
    first = library.find(old)
    second = library.find(new if new is not None else first.name)
    files = library.read_some([first.commit, second.commit], FILES)
    images = library.all_images({first.tree, second.tree})
    return compare(*(read_snapshot(v.label, files[v.commit], images.get(v.tree)) for v in (first, second)))


def read_version(library: VersionsRepository, version: Version) -> Snapshot:
    """A version, ready to be compared."""
    files = library.read_some([version.commit], FILES)[version.commit]
    return read_snapshot(version.label, files, library.images(version.tree))
