"""The logs of operations: bounded while they are written, and cleaned by age, size and number."""

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

MAX_LOG = 64 << 20
"""Bytes that are kept of a log: its end."""

MAX_AGE = 90 * 86400.0
"""Seconds that a log is kept."""

MAX_FILES, MAX_BYTES = 500, 1 << 30
"""How many logs are kept, and how large they may be together; the oldest go first."""

YOUNG = 3600.0
"""Seconds in which a log may still be written to, so that it is not removed."""

_EARLIER = ".1"


class LogFile:
    """A text file that takes at most `limit` bytes, with the file beside it that has the lines before: its name ends
    with `.1`. A disk that is full ends the log, and nothing else."""

    def __init__(self, path: Path, limit: int = MAX_LOG) -> None:
        self._path, self._half = path, limit // 2
        self._file: IO[bytes] | None = path.open("wb")

    def write_line(self, line: str) -> None:
        """Write a line, whatever is in it."""
        if self._file is None:
            return
        data = line.encode(errors="backslashreplace")[: self._half] + b"\n"
        try:
            if self._file.tell() + len(data) > self._half and self._file.tell():
                self._file.close()
                self._path.replace(self._path.with_name(self._path.name + _EARLIER))
                self._file = self._path.open("wb")
            self._file.write(data)
            self._file.flush()  # a server's is read while it runs
        except OSError:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def remove_old_logs(folder: Path, now: float | None = None) -> None:
    """Remove the logs in `folder` that are too old, then the oldest until the others are few and small enough. Those
    that may still be written to stay, as does every other file."""
    now = time.time() if now is None else now
    found = []
    for path in (*folder.glob("*.log"), *folder.glob(f"*.log{_EARLIER}")):
        with contextlib.suppress(OSError):
            about = path.lstat()
            found.append((about.st_mtime, about.st_size, path))
    count = size = 0
    for changed, length, path in sorted(found, reverse=True):
        count, size = count + 1, size + length
        too_many = count > MAX_FILES or size > MAX_BYTES or now - changed > MAX_AGE
        if too_many and now - changed > YOUNG:
            with contextlib.suppress(OSError):
                path.unlink()
