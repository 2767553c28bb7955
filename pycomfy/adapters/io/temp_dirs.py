"""Temporary folders that are removed even after a sudden end: then by whoever makes the next one.

Whoever works in a folder holds a lock on it, which goes with its process, however that ends: so a folder in use is
distinguished from one that is left over.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import try_lock, wait_for_lock

SCRATCH = "pycomfy-tmp-"
"""How the names of scratch folders begin."""


@contextlib.contextmanager
def temporary_folder(
    parent: Path, prefix: str, on_left_over: Callable[[Path], None] = lambda folder: None
) -> Iterator[Path]:
    """Create a folder in `parent`, which is created too, and remove it in the end. Those of the same `prefix` that are
    left over are removed first; `on_left_over` gets each before that. Raises `NoSpace`, and `BadInput` where nothing
    can be written; also in the block."""
    with translate_disk_full(parent):
        parent.mkdir(parents=True, exist_ok=True)
        # One at a time, or a new folder could seem to be left over before it has its lock.
        with _open_folder(parent) as fd:
            wait_for_lock(fd, fcntl.LOCK_EX)
            for old in parent.glob(f"{prefix}*"):
                remove_unused(old, on_left_over)
            folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
            in_use = os.open(folder, os.O_RDONLY)
            fcntl.flock(in_use, fcntl.LOCK_SH)
        try:
            yield folder
        finally:
            os.close(in_use)
            remove_folder(folder)


@contextlib.contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a folder in `parent`, the machine's folder for temporary files if None, and remove it in the end. Those of
    this user's that are left over are removed first. Raises `NoSpace`, and `BadInput` where nothing can be written;
    also in the block.

    Others use that folder too, so nothing there is locked but one's own: whoever finds a new folder before it has its
    lock may remove it, and then another is made."""
    parent = parent or Path(tempfile.gettempdir())
    with translate_disk_full(parent):
        for old in parent.glob(f"{SCRATCH}*"):
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(old.lstat().st_mode) and old.lstat().st_uid == os.getuid():
                    remove_unused(old)
        folder, in_use = _make_scratch(parent)
        try:
            yield folder
        finally:
            os.close(in_use)
            remove_folder(folder)


def _make_scratch(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=SCRATCH))
        try:
            in_use = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if try_lock(in_use, fcntl.LOCK_SH) and folder.exists():
            return folder, in_use
        os.close(in_use)


def remove_unused(path: Path, before: Callable[[Path], None] = lambda folder: None) -> None:
    """Remove a folder unless it is in use, or a file. `before` gets a folder that is about to be removed."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    # Another process may remove it at the same time.
    with contextlib.suppress(FileNotFoundError), _open_folder(path) as fd:
        if try_lock(fd, fcntl.LOCK_EX):
            before(path)
            remove_folder(path)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it, also read-only folders, as in a Nix store."""
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


def find_leftovers(folder: Path, pattern: str, *, older_than: float) -> list[Path]:
    """Return what a sudden end left in `folder`: files and folders of that pattern that are not locked, and have not
    changed for `older_than` seconds, as not every process holds a lock. Removes nothing."""
    return sorted(p for p in folder.glob(pattern) if _age(p) > older_than and not _is_in_use(p))


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0


def _is_in_use(path: Path) -> bool:
    if not path.is_dir() or path.is_symlink():
        return False
    try:
        with _open_folder(path) as fd:
            return not try_lock(fd, fcntl.LOCK_EX)
    except OSError:
        return True
