"""Take the sources of a lock as files from this machine's Nix store or from the archive."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.adapters.sources.kinds import file_adapter
from pycomfy.core.nix.lock_outputs import Requisite
from pycomfy.core.sources.lock_source import FileSource, LockSource
from pycomfy.errors import BadInput
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class SourceProvider:
    """Takes sources from this machine's Nix store, for the store paths in `here`, else from the archive."""

    archive: Archive
    settings: NixSettings
    here: frozenset[str]

    def has(self, requisite: Requisite) -> bool:
        """Whether it can be taken. Raises `HashMismatch` for an entry of the archive that was changed."""
        return requisite.path in self.here or self.archive.find(requisite.output) is not None

    def take(self, requisite: Requisite, to: Path) -> None:
        """Copy it to `to`, which must not exist; the copy can be written. Raises `NotFound`, `HashMismatch`."""
        if requisite.path not in self.here:
            self.archive.take(requisite.output, to)
            return
        path = self.settings.local_path(requisite.path)
        if not path.is_dir():
            shutil.copyfile(path, to)
            return
        shutil.copytree(path, to, symlinks=True)
        for parent, _, files in os.walk(to):
            Path(parent).chmod(0o755)
            for file in (Path(parent, name) for name in files):
                if not file.is_symlink():
                    file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)

    def lend(self, requisite: Requisite, folder: Path) -> Path:
        """Return the file, under its own name in `folder`; it must not be changed. Raises as `take`."""
        to = folder / requisite.output.name
        if requisite.path in self.here:
            to.symlink_to(self.settings.local_path(requisite.path))
        else:
            self.archive.take(requisite.output, to)
        return to


def open_source_provider(workspace: Workspace, requisites: Sequence[Requisite]) -> SourceProvider:
    """Return where to take `requisites` from; without Nix, from the archive alone."""
    has_nix = shutil.which("nix-store") is not None
    here = valid_paths(workspace.nix, [requisite.path for requisite in requisites]) if has_nix else []
    return SourceProvider(workspace.archive, workspace.nix, frozenset(here))


def write_source(provider: SourceProvider, requisite: Requisite, source: LockSource, to: Path) -> None:
    """Write the files of `source` into the folder `to`, which is created if it is missing. Raises `BadInput` if there
    are files."""
    if to.exists() and any(to.iterdir()):
        raise BadInput(
            f"{requisite.title} would overwrite files of another source", where=to.name, fix="restore the image instead"
        )
    with translate_disk_full(to):
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".source-") as folder:
            if isinstance(source, FileSource):
                file_adapter(source).unpack(source, provider.lend(requisite, Path(folder)), to)
                return
            provider.take(requisite, Path(folder, "tree"))
            for path in Path(folder, "tree").iterdir():
                path.rename(to / path.name)
