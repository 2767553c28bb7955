"""`diff`: say what changed from one version to another."""

from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.adapters.versions.version import Version
from pycomfy.core.versions.diff import ImageChange, Moved, NodeChanges
from pycomfy.core.versions.diff import diff as compare
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import FILES, Snapshot, read_snapshot
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace


class DiffResult(Result):
    """What changed from the version `old` to `new`, as `core.versions.diff.Diff`; both are labels. `summary` says the
    same in words, a line each, without the images. `empty`: nothing changed that an image is made from."""

    old: str
    new: str
    nodes: NodeChanges
    settings: tuple[Moved, ...]
    comfyui: tuple[Moved, ...]
    packs: tuple[Moved, ...]
    packages: tuple[Moved, ...]
    debian: tuple[Moved, ...]
    models: tuple[Moved, ...]
    gateway: tuple[Moved, ...]
    images: tuple[ImageChange, ...]
    summary: tuple[str, ...]
    empty: bool


def diff(workspace: Workspace, old: str, new: str | None = None) -> DiffResult:
    """Compare `old` with `new`; without it, with the newest version of the same workflow. Raises `NotFound`."""
    versions = workspace.versions
    first = versions.find(old)
    second = versions.find(new if new is not None else first.name)
    files = versions.read_some([first.commit, second.commit], FILES)
    images = versions.all_images({first.tree, second.tree})
    found = compare(*(read_snapshot(v.label, files[v.commit], images.get(v.tree)) for v in (first, second)))
    return DiffResult(**vars(found), summary=tuple(describe_diff(found)), empty=found.empty)


def read_version(versions: VersionsRepository, version: Version) -> Snapshot:
    """Return a version as it is compared."""
    files = versions.read_some([version.commit], FILES)[version.commit]
    return read_snapshot(version.label, files, versions.images(version.tree))
