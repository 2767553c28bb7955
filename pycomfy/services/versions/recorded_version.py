"""Read a version from the versions repository: its project, its lock, and what its images were."""

from collections.abc import Mapping
from dataclasses import dataclass

from pycomfy.adapters.versions.version import Version
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.reference import Reference
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.errors import BadInput
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RecordedVersion:
    """`files` is the project, by path; `images` are those that were built of it."""

    version: Version
    files: Mapping[str, bytes]
    lock: Lock
    images: Mapping[PlatformName, BuiltImage]

    @property
    def label(self) -> str:
        """`NAME@3`, or `NAME@` and the commit's first digits."""
        return self.version.label


def find_recorded_version(workspace: Workspace, reference: Reference | str) -> RecordedVersion:
    """Return a version. Raises `NotFound`, or `BadInput` for a commit that is not a project of pycomfy."""
    versions = workspace.versions
    version = versions.find(reference)
    files = versions.read_files(version.commit)
    if LOCK not in files or WORKFLOW not in files:
        what = f"{version.label} is not a project of pycomfy"
        raise BadInput(what, where=version.commit, fix="name another version")
    lock = parse_lock(files[LOCK].decode(errors="replace"), where=f"{LOCK} of {version.label}")
    return RecordedVersion(version, files, lock, versions.images(version.tree))


def list_built(workspace: Workspace, platform: PlatformName) -> list[str]:
    """Return every version that was built for `platform`, as NAME@N: workflows by name, oldest versions first."""
    repository = workspace.versions
    versions = [version for name in repository.names() for version in reversed(repository.versions(name))]
    images = repository.all_images({version.tree for version in versions})
    return [version.label for version in versions if platform in images.get(version.tree, {})]
