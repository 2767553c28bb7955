"""Nix stores to build in, beside the machine's own."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import copy_paths, empty_store

DATABASE = Path("nix/var/nix/db")
"""What a Nix store writes in place; all else it makes anew, and so it may be links."""


@dataclass(frozen=True)
class StoreTemplate:
    """A store with paths that are large and always the same, of which copies are made: as links, in a moment."""

    folder: Path

    @classmethod
    def make(cls, settings: NixSettings, paths: Sequence[str], folder: Path) -> "StoreTemplate":
        """One with these `paths` of another store, which `nix-store --gc` keeps."""
        folder.mkdir()
        copy_paths(settings, paths, folder)
        for number, path in enumerate(paths):
            (folder / f"nix/var/nix/gcroots/{number}").symlink_to(path)
        return cls(folder)

    @contextlib.contextmanager
    def copied(self, beside: Path) -> Iterator[NixSettings]:
        """A copy below `beside`; it is removed in the end."""
        with empty_store(beside) as store:
            subprocess.run(["cp", "-al", self.folder / "nix", store], check=True)
            shutil.rmtree(store / DATABASE)
            shutil.copytree(self.folder / DATABASE, store / DATABASE)
            yield NixSettings(store=store)
