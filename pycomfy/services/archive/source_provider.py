"""The shelf: where the sources of a lock are taken from as files, this machine's Nix store or the archive."""

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
    """Where sources are taken from: this machine's store, for what is in `here`, else the archive."""

    archive: Archive
    settings: NixSettings
    here: frozenset[str]

    def has(self, need: Requisite) -> bool:
        return need.path in self.here or self.archive.find(need.output) is not None

    def take(self, need: Requisite, to: Path) -> None:
        """A copy at `to`, which must not exist; it can be written."""
        if need.path not in self.here:
            self.archive.take(need.output, to)
            return
        place = self.settings.local_path(need.path)
        if not place.is_dir():
            shutil.copyfile(place, to)
            return
        shutil.copytree(place, to, symlinks=True)
        for parent, _, files in os.walk(to):
            Path(parent).chmod(0o755)
            for path in (Path(parent, name) for name in files):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

    def lend(self, need: Requisite, folder: Path) -> Path:
        """The file, under its own name in `folder`; it must not be changed."""
        to = folder / need.output.name
        if need.path in self.here:
            to.symlink_to(self.settings.local_path(need.path))
        else:
            self.archive.take(need.output, to)
        return to


def open_source_provider(workspace: Workspace, needs: Sequence[Requisite]) -> SourceProvider:
    """Where to take `needs` from; without Nix, from the archive alone."""
    has_nix = shutil.which("nix-store") is not None
    here = valid_paths(workspace.nix, [need.path for need in needs]) if has_nix else []
    return SourceProvider(workspace.archive, workspace.nix, frozenset(here))


def write_source(shelf: SourceProvider, need: Requisite, source: LockSource, to: Path) -> None:
    """The files of `source` in the folder `to`."""
    if to.exists() and any(to.iterdir()):
        raise BadInput(f"{need.title} would cover files of another", where=to.name, fix="restore the image instead")
    with translate_disk_full(to):
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".source-") as folder:
            if isinstance(source, FileSource):
                file_adapter(source).unpack(source, shelf.lend(need, Path(folder)), to)
                return
            shelf.take(need, Path(folder, "tree"))
            for path in Path(folder, "tree").iterdir():
                path.rename(to / path.name)
