"""What the kernel says of this container: processes that it killed, cores, and files that are being written."""

import contextlib
import ctypes
import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_SET_DUMPABLE = 4
"""Of prctl(2)."""


def count_memory_kills(cgroup: Path = _CGROUP) -> int:
    """How many processes were killed because the container's memory was used up; 0 where the kernel does not say."""
    for name in ("memory.events", "memory/memory.oom_control"):  # cgroups of version 2 and 1
        with contextlib.suppress(OSError, ValueError):
            for line in (cgroup / name).read_text().splitlines():
                key, _, number = line.partition(" ")
                if key == "oom_kill":
                    return int(number)
    return 0


def count_cores(cgroup: Path = _CGROUP) -> int:
    """How many cores this container may use, at least one: those that it may run on, and no more than its share of
    time is worth."""
    cores = len(os.sched_getaffinity(0))
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):  # cgroups of version 2 and 1
        with contextlib.suppress(OSError, ValueError):  # "max" is no number: there is no limit
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            if int(quota) > 0:
                cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def keep_memory_private() -> None:
    """Let no process of the same user look into this one: node packs run as that user. It can still be ended."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def end_first(process: int) -> None:
    """Let the kernel kill this process before us where memory is used up: we have to tell of it."""
    with contextlib.suppress(OSError):
        (_PROC / str(process) / "oom_score_adj").write_text("500")


def files_being_written(folder: Path) -> list[Path]:
    """The files below `folder`, which is absolute, that a process has open for writing, sorted."""
    return sorted({path for path in _open_for_writing() if path.is_relative_to(folder) and path.is_file()})


def _open_for_writing() -> Iterator[Path]:
    for process in _PROC.glob("[0-9]*"):
        # Processes and their files go while we look.
        with contextlib.suppress(OSError):
            for entry in os.scandir(process / "fd"):
                with contextlib.suppress(OSError, ValueError):
                    if _flags(process / "fdinfo" / entry.name) & os.O_ACCMODE != os.O_RDONLY:
                        yield Path(entry.path).readlink()


def _flags(about: Path) -> int:
    """The flags of open(2). See proc(5)."""
    for line in about.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "flags":
            return int(value, 8)
    return os.O_RDONLY
