"""Take turns with other processes, by locks that go with their process, however that ends (flock(2)).

The kernel's own waiting cannot be cancelled, so a lock is tried again and again.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pycomfy.operation import cancel_scope

_FIRST_PAUSE, _MAX_PAUSE = 0.001, 0.2  # seconds between two tries


@contextlib.contextmanager
def exclusive_lock(path: Path, *, remove: bool = False) -> Iterator[None]:
    """Let one process, and one thread of it, at a time run the block. `path` is an empty file for this purpose; it and
    its folder are created. `remove` says that it is removed afterwards.

    Raises `Cancelled` if the operation is cancelled while it waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as file:
            wait_for_lock(file.fileno(), fcntl.LOCK_EX)
            if not _is_current(file.fileno(), path):
                continue  # whoever had it removed it: another file has that name now, or none
            try:
                yield
            finally:
                if remove:
                    path.unlink(missing_ok=True)
            return


def wait_for_lock(fd: int, kind: int) -> None:
    """Lock an open file or folder, as `fcntl.LOCK_EX` or `LOCK_SH`; closing it unlocks it. Raises `Cancelled` if the
    operation is cancelled while it waits."""
    scope, pause = cancel_scope(), _FIRST_PAUSE
    while not try_lock(fd, kind):
        scope.wait(pause)
        pause = min(2 * pause, _MAX_PAUSE)


def try_lock(fd: int, kind: int) -> bool:
    """Lock an open file or folder without waiting; return whether that was possible."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
