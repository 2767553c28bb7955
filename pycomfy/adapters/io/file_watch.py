"""Watch folders for changes of their files, with the kernel's notifications."""

import threading
from collections.abc import Collection
from pathlib import Path

from watchfiles import Change, DefaultFilter
from watchfiles._rust_notify import RustNotify

from pycomfy.errors import BadInput, NotFound
from pycomfy.operation import cancel_scope

QUIET = 0.05
"""Seconds without a further change after which changes are over: an editor writes several times."""

LONGEST = 1.0
"""Seconds after which changes are told, though they go on."""

_filter = DefaultFilter()


def is_own(name: str) -> bool:
    """Return whether a file or folder of that name is what editors, Python and version control write for themselves."""
    return not _filter(Change.modified, name)


class FileWatch:
    """Notes what is changed directly in the `folders`, from when it is made: what changes while nobody waits is told
    by the next `wait`. A folder below one of them is another folder. Raises `NotFound` for one that is not there,
    `BadInput` where the kernel watches no more folders for this user."""

    def __init__(self, folders: Collection[Path]) -> None:
        # By their real paths, as changes name them.
        self.folders = frozenset(folder.resolve() for folder in folders)
        try:
            self._notify = RustNotify([str(folder) for folder in sorted(self.folders)], False, False, 0, False, False)
        except FileNotFoundError as e:
            raise NotFound("a folder that is watched is gone", where=str(e), fix="correct its path") from e
        except OSError as e:
            raise BadInput(
                f"{len(self.folders)} folders cannot be watched: {e}",
                where="/proc/sys/fs/inotify/max_user_watches",
                fix="raise it, as root: sysctl fs.inotify.max_user_watches=524288",
            ) from e

    def wait(self) -> frozenset[Path]:
        """Wait until something is changed, and then until it is quiet; return the paths, the real ones. What editors
        and Python write for themselves is left out. Raises `KeyboardInterrupt` for a signal that ends a program, and
        `Cancelled`."""
        stop = threading.Event()
        while True:
            with cancel_scope().on_cancel(stop.set):
                found = self._notify.watch(round(LONGEST * 1000), round(QUIET * 1000), 0, stop)
            if isinstance(found, str):
                # The scope's end has raised what stopped it; an exception of a signal's handler is lost in there.
                raise KeyboardInterrupt
            if paths := frozenset(path for _, text in found if not is_own((path := Path(text)).name)):
                return paths

    def close(self) -> None:
        """Watch no more."""
        self._notify.close()
