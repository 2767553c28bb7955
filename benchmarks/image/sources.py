"""Fetch all that the example's images are made of into a Nix store, by Nix alone."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nix.project import ProjectContent, project_files


@dataclass(frozen=True)
class Sources:
    """Where the Nix store below the folder `root` has what was fetched."""

    root: Path
    paths: tuple[str, ...]

    def find(self, ending: str) -> Path:
        """Return where a source is, by the end of its name."""
        return self.root / next(path for path in self.paths if path.endswith(ending)).lstrip("/")


def fetch(root: Path, locks: Sequence[Lock], workflow: bytes) -> Sources:
    """Fetch the sources of the locks into the Nix store below `root`, but not those of the node packs, which are local
    folders. What this machine's archive or Nix store has is taken from there; the rest comes from where the locks
    say."""
    archive = find_paths().data / "archive"
    near = (f"file://{archive}", "local?root=/")
    settings = NixSettings(store=root, substituters=near if archive.is_dir() else near[1:])
    found: list[str] = []
    for lock in locks:
        with tempfile.TemporaryDirectory() as place:
            project = Path(place, "project")
            content = ProjectContent(lock.model_copy(update={"packs": ()}), workflow)
            write_folder(project, project_files(content, read_toolkit()))
            done = settings.run("nix-build", "--no-out-link", "-A", "sources", "-A", "ingredients", project)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode(errors="replace")[-3000:])
        found += done.stdout.decode().split()
    return Sources(root, tuple(dict.fromkeys(found)))
