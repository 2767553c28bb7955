"""A job's folder: removed when the job is over, unless something in it is still needed, also after a sudden end."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.containers.job_outputs import OUTPUT_FOLDERS, find_files
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.temp_dirs import remove_folder, remove_unused, temporary_folder

KEPT_DAYS = 30
"""Days that outputs which could not be saved are kept."""

_PREFIX = "run-"


@dataclass
class JobFolder:
    """`path` is mounted as the container's /data; `unsaved` is the folder below which the outputs are kept that could
    not be saved."""

    path: Path
    unsaved: Path
    name: str

    def keep(self) -> Path:
        """Keep the outputs that are in it, and return the folder they are in from now on. Nothing is copied."""
        return _keep(self.path, self.unsaved, self.name)


@contextlib.contextmanager
def job_folder(
    jobs: Path, unsaved: Path, name: str, on_found: Callable[[Path], None] = lambda folder: None
) -> Iterator[JobFolder]:
    """Create a folder in `jobs`, and remove it in the end with what was not kept.

    Outputs of a job whose pycomfy was killed are kept first: `on_found` gets each folder. What has been kept in
    `unsaved`, on the same disk, for `KEPT_DAYS` is removed. Raises as `temporary_folder`.
    """

    def rescue(old: Path) -> None:
        if next(find_files(old, limit=1), None) is not None:
            on_found(_keep(old, unsaved, "left-over"))

    with translate_disk_full(unsaved):
        unsaved.mkdir(parents=True, exist_ok=True)
    _remove_old(unsaved)
    with temporary_folder(jobs, _PREFIX, rescue) as folder:
        yield JobFolder(folder, unsaved, name)


def _keep(folder: Path, unsaved: Path, name: str) -> Path:
    number, kept = 1, unsaved / name
    while os.path.lexists(kept):
        number += 1
        kept = unsaved / f"{name}-{number}"
    # A rename needs no space; what follows only tidies up.
    folder.rename(kept)
    for entry in kept.iterdir():
        if entry.name not in OUTPUT_FOLDERS:
            remove_unused(entry)
    os.utime(kept)
    return kept


def _remove_old(unsaved: Path) -> None:
    with contextlib.suppress(OSError):
        for folder in unsaved.iterdir():
            if time.time() - folder.lstat().st_mtime > KEPT_DAYS * 86400:
                remove_folder(folder)
