"""Keep the audit log: a line of JSON for each thing that somebody did. It is bounded, and only this user may read it.

Everything is written as ASCII, so that no text of a workflow or a request can look like another line, or act on a
terminal that shows the file.
"""

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from pycomfy.adapters.io.file_locks import try_lock

MAX_LOG = 8 << 20
"""Bytes of the file; then it is kept once more as `.1`, and a new one begins."""

MAX_TEXT = 300
"""Characters of one text."""

Value = str | int | None


class AuditLog:
    """The audit log at `path`. Any number of threads may write to it."""

    def __init__(self, path: Path, limit: int = MAX_LOG) -> None:
        self._path, self._limit = path, limit
        self._lock = threading.Lock()

    @property
    def _earlier(self) -> Path:
        return self._path.with_name(f"{self._path.name}.1")

    def append(self, entry: Mapping[str, Value]) -> None:
        """Add an entry. Raises `OSError`, as for a full disk."""
        cut = {name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in entry.items()}
        line = json.dumps(cut, ensure_ascii=True).encode() + b"\n"
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = self._open()
            try:
                # Another server of the same data folder may write, too: whoever cannot lock it leaves the name alone.
                if os.fstat(fd).st_size + len(line) > self._limit and try_lock(fd, fcntl.LOCK_EX):
                    self._path.replace(self._earlier)
                    os.close(fd)
                    fd = self._open()
                os.write(fd, line)
            finally:
                os.close(fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def read(self, count: int) -> list[dict[str, object]]:
        """Return the newest entries, newest first. What is no entry, such as half a line, is left out."""
        found: list[dict[str, object]] = []
        for path in (self._path, self._earlier):
            with contextlib.suppress(FileNotFoundError):
                for line in reversed(path.read_bytes()[-2 * self._limit :].splitlines()):
                    if len(found) >= count:
                        return found
                    with contextlib.suppress(ValueError, RecursionError):
                        value = json.loads(line)
                        if isinstance(value, dict):
                            found.append(value)
        return found
