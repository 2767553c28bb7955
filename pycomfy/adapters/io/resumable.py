"""Download a file and check its hash. What has arrived is kept when a connection breaks, and the rest is requested."""

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from pycomfy.adapters.io.http_client import (
    LOGIN_FIX,
    Client,
    Retryable,
    check_status,
    local_path,
    retry,
    too_long,
    without_login,
)
from pycomfy.errors import Fixes, HashMismatch, NetworkError, suggest
from pycomfy.progress import Task

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_REPLACED = ("try again, or use another server or mirror", suggest("lock", "if the file was really replaced"))


@dataclass(frozen=True)
class ExpectedFile:
    """What a download must yield: `sha256` in hexadecimal, `size` in bytes as far as it is known; `name` is for people.

    `max_bytes` bounds a file of unknown size: an endless answer ends there. A file without a hash is complete when the
    server has sent all of it.
    """

    name: str
    sha256: str | None
    size: int | None
    max_bytes: int


class UnexpectedContent(HashMismatch):
    """Bytes arrived that are not the pinned ones. `sha256` is their hash."""

    def __init__(self, what: str, *, where: str, sha256: str) -> None:
        super().__init__(what, where=where, fix=_REPLACED)
        self.sha256 = sha256


@dataclass
class DownloadProgress:
    """One step's progress, which several downloads share. `total` is the sum of the sizes known so far, in bytes."""

    task: Task
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, amount: int) -> None:
        """Count `amount` bytes more, or fewer if it is negative. Raises `Cancelled` if the operation is cancelled."""
        with self._lock:
            self.task.advance(amount)

    def add_size(self, size: int) -> None:
        """Add a file's size, which became known."""
        with self._lock:
            self.total += size
            self.task.total(self.total)


@dataclass
class ResumableDownload:
    """One file on its way into `path`, where the bytes that an earlier download left are continued.

    `received` bytes are in `path`, and in `digest`. Use it in one thread, and let one process at a time use `path`.
    """

    expected: ExpectedFile
    path: Path
    client: Client
    progress: DownloadProgress
    received: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _continued: bool = False  # over several connections, so the beginning may be another file's
    _sent_all: bool = False
    _size_known: bool = False

    def fetch(self, url: str, headers: dict[str, str] | None = None, *, login_fix: Fixes = LOGIN_FIX) -> str:
        """Complete the file from `url` (https, http or file), write it through to the disk, and return its SHA-256.

        `login_fix` is what to do where the server demands a login. May be called again with another URL, which
        then continues. A beginning that turns out to be another file's is thrown away once. Raises `NetworkError`,
        `UnexpectedContent`, `HashMismatch` for a file whose very size is wrong, and `BadInput` for another kind of URL.
        """
        self._read_earlier()
        # Unbuffered: what has arrived is on its way to the disk even if this process is killed.
        with self.path.open("ab", buffering=0) as out:
            self._fill(url, headers or {}, login_fix, out)
            if self._continued and not self._is_complete():
                self._restart(out)
                self._fill(url, headers or {}, login_fix, out)
            os.fsync(out.fileno())
        if not self._is_complete():
            raise self._unexpected(url, f"{self.received} bytes")
        return self.digest.hexdigest()

    def discard(self) -> None:
        """Forget what was received. The caller moves the file out of the way."""
        self.progress.advance(-self.received)
        self.received, self.digest, self._continued = 0, hashlib.sha256(), False

    def _read_earlier(self) -> None:
        """Hash what an earlier download left in `path`."""
        if self.received == 0 and self.path.is_file():
            with self.path.open("rb") as f:
                while chunk := f.read(_CHUNK):
                    self._count(chunk)
        self._continued = self.received > 0

    def _fill(self, url: str, headers: dict[str, str], login_fix: Fixes, out: IO[bytes]) -> None:
        local = local_path(url)
        if local is not None:
            self._copy(url, local, out)
            return
        while not self._is_complete():
            before = self.received
            try:
                retry(url, lambda: self._download(url, headers, login_fix, out))
                return
            except NetworkError:
                if self.received <= before:
                    raise
                # As long as something arrives, the number of tries begins anew.

    def _copy(self, url: str, local: Path, out: IO[bytes]) -> None:
        with open_local(url, local) as f:
            f.seek(self.received)
            while chunk := f.read(_CHUNK):
                self._write(url, out, chunk)
        self._sent_all = True

    def _download(self, url: str, headers: dict[str, str], login_fix: Fixes, out: IO[bytes]) -> None:
        # A compressed answer would be neither the bytes that were hashed nor the requested range.
        headers = headers | {"Accept-Encoding": "identity"}
        if self.received:
            self._continued = True
            headers |= {"Range": f"bytes={self.received}-"}
        with self.client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416:
                self._restart(out)
                raise Retryable("the server has less than it began to send")
            check_status(url, response, login_fix)
            if self.received and not self._continues(response):
                self._restart(out)
                if response.status_code == 206:
                    raise Retryable("the server sent another part than the requested one")
            self._check_size(url, response)
            for chunk in response.iter_raw():  # as it comes: what has arrived is kept when the connection breaks
                self._write(url, out, chunk)
        if self.received < (self.expected.size or 0):
            raise Retryable(f"it ended after {self.received} of {self.expected.size} bytes")
        self._sent_all = True

    def _continues(self, response: httpx.Response) -> bool:
        """Whether the answer begins where the file ends. A server that ignores `Range` sends all with status 200."""
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        return response.status_code == 206 and found is not None and int(found[1]) == self.received

    def _check_size(self, url: str, response: httpx.Response) -> None:
        """Raise `HashMismatch` if the file has another size: it need not be fetched to know that it is another one."""
        length = response.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return
        size, expected = self.received + int(length), self.expected
        if expected.size is None and not self._size_known:
            self._size_known = True
            self.progress.add_size(size)
        if expected.size not in (None, size):
            what = f"{expected.name}: expected {expected.size} bytes, but the file there has {size}"
            raise HashMismatch(what, where=without_login(url), fix=_REPLACED)

    def _write(self, url: str, out: IO[bytes], chunk: bytes) -> None:
        limit = self.expected.max_bytes if self.expected.size is None else self.expected.size
        if self.received + len(chunk) > limit:
            if self.expected.sha256 is None:
                raise too_long(url, limit)
            raise self._unexpected(url, f"more than {limit} bytes")
        rest = memoryview(chunk)
        while rest:
            rest = rest[out.write(rest) :]
        self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        self.received += len(chunk)
        self.digest.update(chunk)
        self.progress.advance(len(chunk))

    def _is_complete(self) -> bool:
        return self._sent_all if self.expected.sha256 is None else self.digest.hexdigest() == self.expected.sha256

    def _restart(self, out: IO[bytes]) -> None:
        out.truncate(0)
        self.discard()

    def _unexpected(self, url: str, amount: str) -> UnexpectedContent:
        found = self.digest.hexdigest()
        what = f"{self.expected.name}: expected SHA-256 {self.expected.sha256}, got {found} ({amount})"
        return UnexpectedContent(what, where=without_login(url), sha256=found)


@contextlib.contextmanager
def open_local(url: str, path: Path) -> Iterator[IO[bytes]]:
    """Open the file that a `file:` URL names. Raises `NetworkError` for one that cannot be read, also in the block."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise NetworkError("it is not a file", where=str(path), fix=f"check {url}")
        with path.open("rb") as f:
            yield f
    except (FileNotFoundError, NotADirectoryError, PermissionError) as e:
        raise NetworkError(f"the file cannot be read: {e.strerror}", where=str(path), fix=f"check {url}") from e
