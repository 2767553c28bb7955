"""How much room a folder's disk has, and what kind of file system it is."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

NETWORK_KINDS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs"}
)
"""File systems with locks, or with a way to rename files, that SQLite and git may not rely on."""


@dataclass(frozen=True)
class DiskSpace:
    """The disk on which `folder` is, or would be made, below its nearest parent that exists: `present`.

    `free` and `total` are bytes, `free` what a user may take; `free_files` is None where files are not counted. `disk`
    is the same for folders that share their space, `device` for those between which a hard link can be made.
    """

    folder: Path
    present: Path
    disk: str
    device: int
    free: int
    total: int
    free_files: int | None
    writable: bool
    file_system: str = ""

    @property
    def exists(self) -> bool:
        """Whether `folder` exists."""
        return self.present == self.folder

    @property
    def is_network(self) -> bool:
        """Whether it is on another machine."""
        return self.file_system in NETWORK_KINDS


def look_at_disk(folder: Path, mounts: Path = MOUNTS) -> DiskSpace:
    """Return the space for a folder, which need not exist. Raises `OSError` if it cannot be looked at.

    Nothing is written: a folder is `writable` if its permissions and its mount say so."""
    present = next((p for p in (folder, *folder.parents) if os.path.lexists(p) and p.exists()), Path("/"))
    status, about = os.statvfs(present), present.stat()
    source, kind = _find_mount(present, mounts)
    return DiskSpace(
        folder,
        present,
        source if source.startswith("/") else str(about.st_dev),
        about.st_dev,
        status.f_bavail * status.f_frsize,
        status.f_blocks * status.f_frsize,
        status.f_favail if status.f_files else None,
        os.access(present, os.W_OK | os.X_OK),
        kind,
    )


def _find_mount(path: Path, mounts: Path) -> tuple[str, str]:
    """Return what is mounted where `path` is, and the kind of its file system; both "" if that cannot be found out. See
    proc(5)."""
    try:
        real, lines = os.path.realpath(path), mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return "", ""
    best, found = "", ("", "")
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(rest) < 2:
            continue
        point = _unescape(fields[4])
        # Of two at the same place, the later one hides the earlier.
        if len(point) >= len(best) and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, found = point, (_unescape(rest[1]), rest[0])
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), text)
