"""What jobs leave in ComfyUI's folders. The bytes are kept as assets, so that these files go in time."""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from ..outputs import find_inside
from .model import Job, Output

log = logging.getLogger(__name__)

CLOCK_STEP = 0.1
"""Seconds that the time of a file may lag behind the clock."""

TEMP_KEPT = 256 << 20
"""Bytes of temporary files that stay for nodes that are cached and name them; the folder is memory."""

TEMP_FILES = 256
"""The same as a number: a small file takes memory, too, and ComfyUI lists the folder for every preview."""


_FEW = 8


def remove_made(job: Job, find_folder: Callable[[str], Path]) -> None:
    """Remove the files of a finished job from the output folders, which are found by the name of their ComfyUI: those
    that were written while it ran and are as they were kept. One that was there before, or that a later job wrote
    anew, stays; and so does one that may not be removed, which is logged."""
    if job.started_at is None or job.completed_at is None:
        return
    began, ended = job.started_at.timestamp() - CLOCK_STEP, job.completed_at.timestamp()
    for output in job.outputs:
        folder = find_folder(output.worker or job.worker or "0")
        path = find_inside(folder, output.subfolder, output.name) if output.folder == "output" else None
        if path is None:
            continue
        try:
            about = path.stat()
            if about.st_size == output.size and began <= about.st_mtime <= ended:
                path.unlink()
                _remove_empty(path.parent, folder.resolve())
        except FileNotFoundError:
            continue
        except OSError as e:
            log.warning("a file in ComfyUI's output folder cannot be removed: %s", e.strerror, extra={"job": job.id})


def remove_strays(paths: Iterable[Path], folder: Path) -> None:
    """Remove what an attempt that was broken off left below `folder`. What cannot be removed stays."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, folder.resolve())


def _remove_empty(folder: Path, top: Path) -> None:
    with contextlib.suppress(OSError):  # the first that is not empty
        for above in (folder, *folder.parents)[: len(folder.parts) - len(top.parts)]:
            above.rmdir()


@dataclass
class TempFiles:
    """The files of a ComfyUI's temporary folder that are kept as assets: beyond `limit` bytes, or `most` files, the
    oldest go."""

    folder: Path
    limit: int = TEMP_KEPT
    most: int = TEMP_FILES
    _sizes: OrderedDict[Path, int] = field(default_factory=OrderedDict)
    _total: int = 0
    _adding: Lock = field(default_factory=Lock)
    """The next job may end before all is done for the one before."""

    async def take(self, outputs: Sequence[Output]) -> None:
        """As `add`, without holding the event loop up."""
        if len(outputs) <= _FEW:  # the way to another thread and back takes longer
            self.add(outputs)
        else:
            await asyncio.to_thread(self.add, outputs)

    def add(self, outputs: Iterable[Output]) -> None:
        with self._adding:
            self._add(outputs)

    def _add(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            path = find_inside(self.folder, output.subfolder, output.name) if output.folder == "temp" else None
            if path is not None:
                self._total += output.size - self._sizes.pop(path, 0)
                self._sizes[path] = output.size
        while len(self._sizes) > self.most or self._total > self.limit:
            path, size = self._sizes.popitem(last=False)
            self._total -= size
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
