"""Compute the SHA-256 of large files once: a file that was not touched since keeps its hash."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.errors import BadInput, NotFound

MAX_ROWS = 20_000
_CHUNK = 1 << 20


class HashCache:
    """A table in the file `path`; losing it costs only time. Any number of processes may use it at once.

    A file is identified by inode, size and ctime: nobody can change or replace a file and leave all three as they are.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def sha256(self, file: Path) -> str:
        """Return the hash of the file's bytes. Raises `NotFound`, or `BadInput` for what cannot be read."""
        with _readable(file):
            known = self._read().get(_key(file.stat()))
            return known if known is not None else self.recompute(file)

    def find(self, file: Path) -> str | None:
        """Return the hash that the file had when it was last read; None if it was changed since."""
        return self._read().get(_key(file.stat()))

    def recompute(self, file: Path) -> str:
        """Return the hash as `sha256` does, but read every byte."""
        with _readable(file), file.open("rb") as f:
            before = os.fstat(f.fileno())
            # A file of the store has its hash as its name.
            name = file.name[:16] if len(file.name) == 64 else file.name
            with operation.step(f"Hash {name}", total=before.st_size, unit="bytes") as task:
                digest = hashlib.sha256()
                while chunk := f.read(_CHUNK):
                    digest.update(chunk)
                    task.advance(len(chunk))
            if _key(os.fstat(f.fileno())) != _key(before):
                raise BadInput("the file changed while it was read", where=str(file), fix="wait until it is complete")
        self._store(_key(before), digest.hexdigest())
        return digest.hexdigest()

    @contextlib.contextmanager
    def same_content(self, file: Path, sha256: str) -> Iterator[None]:
        """Keep the hash of a file over a block that changes its ctime and not its bytes, such as linking it."""
        before = file.stat()
        yield
        after = file.stat()
        if (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns):
            self._store(_key(after), sha256)

    def remember(self, file: Path, sha256: str) -> None:
        """Take over the hash of a file that was hashed while it was written."""
        self._store(_key(file.stat()), sha256)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and all(isinstance(v, str) for v in found.values()) else {}

    def _store(self, key: str, sha256: str) -> None:
        with exclusive_lock(self._path.with_suffix(".lock")):
            rows = self._read()
            rows.pop(key, None)
            rows[key] = sha256
            newest = dict(list(rows.items())[-MAX_ROWS:])
            write_file(self._path, json.dumps(newest, indent=0) + "\n")


def _key(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_size}:{status.st_ctime_ns}"


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as e:
        raise NotFound("no such file", where=str(file), fix="check the path") from e
    except (IsADirectoryError, PermissionError) as e:
        raise BadInput(f"the file cannot be read: {e.strerror}", where=str(file), fix="give a readable file") from e
