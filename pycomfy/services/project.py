"""Hold an emitted project while its image is built, and the platform of this machine."""

import contextlib
import platform as machine
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.build import BuildTarget
from pycomfy.core.lockfile.platforms import PlatformName, find_platform
from pycomfy.core.lockfile.schema import Lock
from pycomfy.errors import BadLock, MissingTool, suggest
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Project:
    """An emitted project. Relative paths and URLs in its lock are below `base`. If `offline`, nothing is fetched."""

    folder: Path
    lock: Lock
    platform: PlatformName
    base: Path
    offline: bool = False

    def target(self, attribute: str) -> BuildTarget:
        """Return an attribute of the project, as Nix gets it."""
        return BuildTarget(self.folder, attribute, self.platform)


def host_platform() -> PlatformName:
    """Return the platform of this machine. Raises `MissingTool` on one that cannot build images."""
    name = machine.machine()
    platform = find_platform(name)
    if machine.system() != "Linux" or platform is None:
        raise MissingTool(
            f"images are built on Linux (x86_64, aarch64), not on {machine.system()} {name}",
            where="this machine",
            fix="use a Linux machine or a Linux virtual machine",
        )
    return platform


@contextlib.contextmanager
def project_folder(workspace: Workspace, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write the files of a project to a folder of their own, which is removed when the block ends."""
    with temporary_folder(workspace.paths.cache / "projects", "project-") as parent:
        folder = parent / "project"
        write_folder(folder, files)
        yield folder


def check_locked(lock: Lock, platform: PlatformName) -> None:
    """Raise `BadLock` if the lock lacks the platform of the image, or of the machine that builds it."""
    needed = tuple(dict.fromkeys((host_platform(), platform)))
    for one in needed:
        if one not in lock.platforms:
            raise BadLock(
                f"{one} is not locked; the machine that builds needs its own platform in the lock too",
                where="pycomfy.lock",
                fix=suggest("lock", platform=needed),
            )
