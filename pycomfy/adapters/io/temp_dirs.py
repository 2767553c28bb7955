"""Folders to work in for a while. Each is removed in the end; one that a sudden end left, by whoever comes next.

Who works in a folder holds a lock on it, which goes with its process, however that ends: so what is in use can be told
from what is left over.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import try_lock, wait_for_lock


@contextlib.contextmanager
def temporary_folder(place: Path, prefix: str) -> Iterator[Path]:
    """A new folder below `place`, which is made if need be. Those of the same `prefix` that nobody works in any more
    are removed first. Raises `NoSpace`, and `BadInput` for a place where nothing can be written; while the block runs,
    too."""
    with translate_disk_full(place):
        place.mkdir(parents=True, exist_ok=True)
        # One at a time, or a new folder could seem to be left over before it has its lock.
        with _open_folder(place) as fd:
            wait_for_lock(fd, fcntl.LOCK_EX)
            for old in place.glob(f"{prefix}*"):
                remove_unused(old)
            folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
            mark = os.open(folder, os.O_RDONLY)
            fcntl.flock(mark, fcntl.LOCK_SH)
        try:
            yield folder
        finally:
            os.close(mark)
            remove_folder(folder)


def remove_unused(path: Path) -> None:
    """Remove a folder, unless somebody works in it; or a file."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    with _open_folder(path) as fd:
        if try_lock(fd, fcntl.LOCK_EX):
            remove_folder(path)


def remove_folder(folder: Path) -> None:
    """Remove a folder that may have read-only ones in it, as a Nix store has."""
    for parent, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)
