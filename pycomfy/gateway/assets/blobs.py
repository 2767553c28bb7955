"""The files below the store's folder: bytes that come in, and blobs, which never change.

`blobs/ab/ab12…` is a blob, named by its blake3 hash and read-only; `incoming/` has what is not complete.
"""

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from blake3 import blake3

from .model import AssetError, NoSpace

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_NO_COPY_RANGE = frozenset((errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF))
_PIECE = 1 << 20
_TRIES = 3
_RESERVE = 256 << 10


KEEP_FREE, PART_FREE = 512 << 20, 20
"""Bytes of the disk that no upload gets, as jobs need them; of a small disk, one part of so many."""


def has_room(folder: Path) -> bool:
    """Whether the disk has more free than what is kept for jobs."""
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize > min(KEEP_FREE, about.f_blocks * about.f_frsize // PART_FREE)


class NotSmall(Exception):
    """A file has more bytes than were to be copied at once."""


class NotAFile(AssetError):
    """What was to be kept is no regular file, or is gone."""


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Raise `NoSpace` for the errors of a full disk or a disk quota."""
    try:
        yield
    except OSError as e:
        if e.errno in _FULL:
            raise NoSpace(f"no space is left on the disk ({e.strerror})") from e
        raise


class Incoming:
    """A file that is being written, and hashed on the way; it is made by the first write. `discard` it at the end: what
    was placed stays."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / uuid.uuid4().hex
        self.size = 0
        self._hasher = blake3()
        self._descriptor = -1

    @property
    def hash(self) -> str:
        return f"blake3:{self._hasher.hexdigest()}"

    def write(self, data: bytes) -> None:
        """Raises `NoSpace`."""
        with disk_errors():
            _write(self._open(), data)
        self._hasher.update(data)
        self.size += len(data)

    def complete(self, data: bytes = b"", *, durable: bool) -> None:
        """Write the last bytes, and make it read-only; with `durable` it is on the disk when this returns."""
        self.write(data)
        with disk_errors():
            os.fchmod(self._descriptor, 0o444)
            if durable:
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def copy_from(self, source: Path, *, most: int | None = None) -> None:
        """Fill it with a copy of `source`. The hash is that of the copy: the source may be written again at any time,
        which is why no hard link will do. One that changes while it is copied is copied again, a few times, and one
        that grows each time only as far as it was.

        Raises `NotAFile`, `NoSpace`, and `NotSmall` where it has more than `most` bytes.
        """
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            raise NotAFile(f"{source.name} cannot be read: {e.strerror}") from e
        try:
            for _ in range(_TRIES):
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    raise NotAFile(f"{source.name} is no regular file")
                if most is not None and before.st_size > most:
                    raise NotSmall
                with disk_errors():
                    _copy(descriptor, self._open(), before.st_size)
                after = os.fstat(descriptor)
                if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                    break
        finally:
            os.close(descriptor)
        self.size = os.fstat(self._open()).st_size
        self._hasher = hash_file(self.path)

    def move_from(self, source: Path) -> None:
        """Take `source` itself, which nobody may write any more, and which is on the same disk."""
        if not stat.S_ISREG(source.lstat().st_mode):
            raise NotAFile(f"{source.name} is no regular file")
        with disk_errors():
            source.rename(self.path)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size
        self._hasher = hash_file(self.path)

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self.path.unlink(missing_ok=True)


class Reserve:
    """A file that takes space which a database needs to be opened, and to delete from it, on a disk that is full."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> None:
        """Take the space, if there is some and it is not taken."""
        if self._path.exists():
            return
        with contextlib.suppress(OSError), self._path.open("wb") as f:
            try:
                os.posix_fallocate(f.fileno(), 0, _RESERVE)
            except OSError:
                self._path.unlink()

    def give(self) -> None:
        self._path.unlink(missing_ok=True)


class Blobs:
    """The folder of the store. `place`, `remove` and `sweep` are for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"

    def prepare(self) -> None:
        """Make the folders, and remove what a killed process left incomplete."""
        with disk_errors():
            for folder in (self._blobs, self._incoming):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            left.unlink()

    def receive(self) -> Incoming:
        return Incoming(self._incoming)

    def path(self, digest: str) -> Path:
        """Where the blob of `blake3:<hex>` is, or would be."""
        hexadecimal = digest.removeprefix("blake3:")
        return self._blobs / hexadecimal[:2] / hexadecimal

    def size(self, digest: str) -> int | None:
        """Bytes on the disk; None if it is not there."""
        try:
            return self.path(digest).stat().st_size
        except OSError:
            return None

    def place(self, incoming: Incoming, *, durable: bool) -> None:
        """Put a complete file in its place, at once or not at all. A damaged blob there is replaced."""
        target = self.path(incoming.hash)
        if self.size(incoming.hash) == incoming.size:
            incoming.discard()
            return
        with disk_errors():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            incoming.path.replace(target)
            if durable:
                _sync_folder(target.parent)
                _sync_folder(self._blobs)

    def sync(self, digests: Iterable[str]) -> list[str]:
        """Bring blobs to the disk, and return those that are there for sure: others were deleted meanwhile, or the disk
        fails. A folder is written once for all of its blobs: a commit of the file system holds up all that waits for
        the disk."""
        files = [digest for digest in digests if _try_to_sync(self.path(digest), os.O_RDONLY)]
        folders = {self.path(digest).parent for digest in files}
        written = {folder for folder in folders if _try_to_sync(folder, os.O_DIRECTORY)}
        if files and not _try_to_sync(self._blobs, os.O_DIRECTORY):
            return []
        return [digest for digest in files if self.path(digest).parent in written]

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def sweep(self, known: frozenset[str]) -> int:
        """Remove blobs that no record knows of: their number."""
        removed = 0
        for shard in self._blobs.iterdir():
            for path in shard.iterdir():
                if f"blake3:{path.name}" not in known:
                    path.unlink()
                    removed += 1
        return removed

    def verify(self, digest: str) -> bool:
        """Whether a blob has the bytes that its name says."""
        try:
            return f"blake3:{hash_file(self.path(digest)).hexdigest()}" == digest
        except OSError:
            return False


def hash_file(path: Path) -> blake3:
    return blake3().update_mmap(path)


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes and the time of change, in a new file. Raises `NoSpace`, `OSError`."""
    with disk_errors(), source.open("rb", 0) as read, target.open("xb", 0) as write:
        about = os.fstat(read.fileno())
        _copy(read.fileno(), write.fileno(), about.st_size)
        os.utime(write.fileno(), ns=(about.st_mtime_ns, about.st_mtime_ns))


def _copy(source: int, target: int, size: int) -> None:
    """Copy the first `size` bytes of `source`, or all where there are fewer: what is written to it all the time has no
    end. The kernel does it where it can, and shares the blocks where the file system can: measured 100 ms for 64 MiB
    with the hash, beside 115 ms by reading and writing."""
    os.lseek(source, 0, os.SEEK_SET)
    os.lseek(target, 0, os.SEEK_SET)
    os.ftruncate(target, 0)
    try:
        while size and (copied := os.copy_file_range(source, target, min(size, 1 << 30))):
            size -= copied
    except OSError as e:
        if e.errno not in _NO_COPY_RANGE:
            raise
    # The end, or all of it where there is no such call; files of some file systems look empty to that call.
    while size and (piece := os.read(source, min(size, _PIECE))):
        _write(target, piece)
        size -= len(piece)


def _write(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


def _try_to_sync(path: Path, flags: int) -> bool:
    try:
        _sync(path, flags)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
