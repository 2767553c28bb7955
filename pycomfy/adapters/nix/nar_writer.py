# ruff: noqa: PTH115, PTH118, PTH119, PTH123, PTH208  (names are bytes, which pathlib does not take)
"""Hash a file tree as Nix does: the SHA-256 of its NAR serialisation.

The format is in Dolstra's "The Purely Functional Software Deployment Model", figure 5.2: names, contents, links and the
executable bit, and nothing else, in the order of the names' bytes.
"""

import base64
import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from pycomfy.errors import BadInput
from pycomfy.operation import cancel_scope

_CHUNK = 1 << 20

Write = Callable[[bytes | memoryview], object]


def hash_path(path: Path) -> str:
    """Return the hash of a file, link or folder, in SRI form: `sha256-…`. Raises `BadInput` for devices and pipes."""
    digest = hashlib.sha256()
    write_nar(path, digest.update)
    return to_sri(digest.digest())


def to_sri(sha256: bytes) -> str:
    """Return a SHA-256 as Nix and browsers write it."""
    return "sha256-" + base64.b64encode(sha256).decode()


def write_nar(path: Path, write: Write) -> None:
    """Serialise `path`, piece by piece. Raises `BadInput` for what a NAR cannot hold, `OSError` for unreadable ones."""
    write(_string(b"nix-archive-1"))
    # Folders still open, innermost last: an untrusted tree must not be deeper than Python's recursion.
    open_folders: list[Iterator[bytes]] = []
    _begin(os.fsencode(path), write, open_folders)
    while open_folders:
        child = next(open_folders[-1], None)
        if child is None:
            open_folders.pop()
            write(_string(b")"))
            if open_folders:
                write(_string(b")"))
            continue
        write(_strings(b"entry", b"(", b"name", os.path.basename(child), b"node"))
        if not _begin(child, write, open_folders):
            write(_string(b")"))


def _begin(path: bytes, write: Write, open_folders: list[Iterator[bytes]]) -> bool:
    """Write a node, of a folder only the beginning; returns whether it is a folder, and so still open."""
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        write(_strings(b"(", b"type", b"directory"))
        open_folders.append(iter([os.path.join(path, name) for name in sorted(os.listdir(path))]))
        return True
    if stat.S_ISREG(mode):
        _write_file(path, bool(mode & stat.S_IXUSR), write)
    elif stat.S_ISLNK(mode):
        write(_strings(b"(", b"type", b"symlink", b"target", os.readlink(path), b")"))
    else:
        raise BadInput(
            "a device, pipe or socket cannot be pinned", where=os.fsdecode(path), fix="leave it out of the folder"
        )
    return False


def _write_file(path: bytes, executable: bool, write: Write) -> None:
    write(_strings(b"(", b"type", b"regular", *([b"executable", b""] if executable else []), b"contents"))
    scope = cancel_scope()
    with open(path, "rb", buffering=0) as f:
        size = os.fstat(f.fileno()).st_size
        write(struct.pack("<Q", size))
        buffer = memoryview(bytearray(min(size, _CHUNK) or 1))
        left = size
        while left and (read := f.readinto(buffer[: min(left, _CHUNK)])):
            scope.check()
            write(buffer[:read])
            left -= read
        if left or f.read(1):
            raise BadInput("the file changed while it was read", where=os.fsdecode(path), fix="try again")
    write(_padding(size) + _string(b")"))


def _string(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data + _padding(len(data))


def _strings(*strings: bytes) -> bytes:
    return b"".join(map(_string, strings))


def _padding(size: int) -> bytes:
    return bytes(-size % 8)
