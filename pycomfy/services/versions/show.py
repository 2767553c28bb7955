"""`show`: one version, and what changed in it."""

from dataclasses import dataclass

from pycomfy.adapters.versions.repository import Version
from pycomfy.core.versions.diff import Diff, diff
from pycomfy.core.versions.snapshot import FILES, Snapshot, read_snapshot
from pycomfy.services.versions.diff import read_version
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Shown:
    """`tags` are the version's; `changes` from its parent, None for a first version. `flake` is what Nix alone builds
    the image from."""

    version: Version
    snapshot: Snapshot
    tags: tuple[str, ...]
    changes: Diff | None
    flake: str


def show(workspace: Workspace, reference: str) -> Shown:
    """Raises `NotFound`."""
    library = workspace.versions
    version = library.find(reference)
    changes = None
    snapshot = read_version(library, version)
    if version.parents:
        before = library.read_some(version.parents[:1], FILES)[version.parents[0]]
        changes = diff(read_snapshot(f"commit {version.parents[0][:12]}", before), snapshot)
    tags = [tag.partition("@")[2] for tag, commit in library.tags(version.name).items() if commit == version.commit]
    flake = f"git+file://{library.path}?ref={version.name}&rev={version.commit}#oci"
    return Shown(version, snapshot, tuple(tags), changes, flake)
