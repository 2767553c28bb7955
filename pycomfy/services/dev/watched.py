"""Find the files that an image is made of and that somebody edits: the workflow, pycomfy.toml, local node packs."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.file_watch import is_own
from pycomfy.core.sources.path import PathSpec
from pycomfy.errors import PycomfyError
from pycomfy.services.lock_request import LockRequest, read_config


@dataclass(frozen=True)
class Watched:
    """`files`, and everything in the `trees`. All paths are real ones, without links."""

    files: frozenset[Path]
    trees: tuple[Path, ...]

    def list_folders(self) -> frozenset[Path]:
        """Return the folders that have it all: a change to a file is one in its folder."""
        return frozenset({file.parent for file in self.files} | {one for tree in self.trees for one in _walk(tree)})

    def concerns(self, paths: Iterable[Path]) -> bool:
        """Return whether one of the changed paths belongs to it."""
        return any(path in self.files or any(path.is_relative_to(tree) for tree in self.trees) for path in paths)


def find_watched(workflow: Path) -> Watched:
    """Return what is to be watched for a workflow, as `LockRequest` has it. Raises `BadInput` for a folder with several
    workflows. Of a pycomfy.toml that cannot be read, it is the file itself: it may be right with the next change."""
    request = LockRequest(workflow)
    files = (request.file, request.config_file)
    try:
        base, config = read_config(request)
        specs = (config.comfyui, *config.packs.values())
        folders = [base / spec.path for spec in specs if isinstance(spec, PathSpec)]
    except PycomfyError:
        folders = []
    trees = tuple(folder.resolve() for folder in folders if folder.is_dir())
    return Watched(frozenset(file.parent.resolve() / file.name for file in files), trees)


def _walk(tree: Path) -> Iterator[Path]:
    for folder, folders, _ in os.walk(tree):
        folders[:] = [name for name in folders if not is_own(name)]
        yield Path(folder)
