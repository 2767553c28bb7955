"""A version as it was recorded: its project, its lock, and what its images were."""

from collections.abc import Mapping
from dataclasses import dataclass

from pycomfy.adapters.versions.repository import Version
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import BadInput
from pycomfy.services.workspace import Workspace

LOCK = "pycomfy.lock"


@dataclass(frozen=True)
class RecordedVersion:
    """`files` is the project, by path; `images` are those that were built of it."""

    version: Version
    files: Mapping[str, bytes]
    lock: Lock
    images: Mapping[PlatformName, BuiltImage]

    @property
    def label(self) -> str:
        return self.version.label


def find_recorded_version(workspace: Workspace, reference: Reference | str) -> RecordedVersion:
    """Raises `NotFound`, or `BadInput` for a commit that is no project of pycomfy's."""
    library = workspace.versions
    version = library.find(reference)
    files = library.read_files(version.commit)
    if LOCK not in files or "workflow.json" not in files:
        raise BadInput(f"{version.label} is no project of pycomfy", where=version.commit, fix="name another version")
    lock = parse_lock(files[LOCK].decode(errors="replace"), where=f"{LOCK} of {version.label}")
    return RecordedVersion(version, files, lock, library.images(version.tree))


def list_built(workspace: Workspace, platform: PlatformName) -> list[str]:
    """Every version that was built for `platform`, as NAME@N: the workflows by name, oldest versions first."""
    library = workspace.versions
    versions = [version for name in library.names() for version in reversed(library.versions(name))]
    images = library.all_images({version.tree for version in versions})
    return [version.label for version in versions if platform in images.get(version.tree, {})]
