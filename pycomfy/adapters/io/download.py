"""Files from the network, kept by their content: fetched once, and never trusted unhashed.

Proxies, certificates and logins are `network`'s business.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import httpx

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.http_client import (
    MAX_TRIES,
    Retryable,
    ServerUnreachable,
    check_status,
    local_path,
    make_client,
    read_body,
    retry,
    too_long,
    without_login,
)
from pycomfy.adapters.io.parallel_downloads import Transfer
from pycomfy.adapters.io.paths import find_paths
from pycomfy.errors import BadInput, HashMismatch, NetworkError

JOBS = 8
MAX_BYTES = 64 << 30
"""Bytes of a file whose size is not known; an endless answer ends here."""

_CHUNK = 1 << 18
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """A file to fetch: `sha256` in hexadecimal, `name` for people, `size` in bytes where it is known. `headers` are
    sent along."""

    url: str
    sha256: str
    name: str
    size: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


def fetch(
    url: str,
    sha256: str,
    *,
    name: str,
    size: int | None = None,
    cache: Path | None = None,
) -> Path:
    """The file with that hash, from the cache or from `url` (https, http, file). It must not be changed.

    Raises `NetworkError`, `HashMismatch`, `NoSpace`, or `BadInput` for another kind of URL.
    """
    return fetch_all([File(url, sha256, name, size)], cache=cache)[0]


def fetch_all(files: Sequence[File], *, cache: Path | None = None, title: str = "Download") -> list[Path]:
    """Several files, some at a time, in the order they were given. What fails is raised at once, all of it."""
    paths = [_place(f, cache or find_paths().cache) for f in files]
    todo = {p: f for p, f in zip(paths, files, strict=True) if not _is_there(p, f)}
    if not todo:
        return paths
    total = sum(f.size or 0 for f in todo.values()) if all(f.size is not None for f in todo.values()) else None
    with operation.step(title, total=total, unit="bytes") as task, make_client() as client:
        transfer = Transfer(client, task)
        jobs = {str(path): _Job(file, path, transfer).run for path, file in todo.items()}
        transfer.run(jobs, JOBS, (ServerUnreachable,))
    return paths


def fetch_unpinned(url: str, *, cache: Path, limit: int) -> tuple[Path, str]:
    """A file that nobody has hashed, and the SHA-256 by which it is kept from now on, of at most `limit` bytes.

    Raises `NetworkError`, `NoSpace`.
    """
    return _keep(lambda out: _read_into(out, url, limit), cache)


def keep_file(file: Path, cache: Path) -> tuple[Path, str]:
    """A file of this machine, kept as downloads are, and its SHA-256. Raises `NoSpace`."""
    with file.open("rb") as f:
        return _keep(lambda out: shutil.copyfileobj(f, out, _CHUNK), cache)


def _keep(fill: Callable[[IO[bytes]], None], cache: Path) -> tuple[Path, str]:
    folder = cache / "sha256"
    with translate_disk_full(folder):
        folder.mkdir(parents=True, exist_ok=True)
        fd, temporary = tempfile.mkstemp(dir=folder, prefix=".part-")
        try:
            with os.fdopen(fd, "wb") as out:
                fill(out)
                out.flush()
                os.fsync(out.fileno())
            with Path(temporary).open("rb") as f:
                sha256 = hashlib.file_digest(f, "sha256").hexdigest()
            path = kept_path(sha256, cache)
            path.parent.mkdir(exist_ok=True)
            Path(temporary).chmod(0o444)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return path, sha256


def _read_into(out: IO[bytes], url: str, limit: int) -> None:
    def take(chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            out.write(chunk)
            if out.tell() > limit:
                raise too_long(url, limit)

    path = local_path(url)
    if path is not None:
        with _file_errors(url, path), path.open("rb") as f:
            take(iter(partial(f.read, _CHUNK), b""))
        return

    def attempt() -> None:
        out.seek(0)
        out.truncate()
        with client.stream("GET", url) as answer:
            check_status(url, answer)
            take(answer.iter_bytes(_CHUNK))

    with make_client() as client:
        retry(url, attempt)


def kept_path(sha256: str, cache: Path) -> Path:
    """Where the cache has the file with that hash, if it has it."""
    return cache / "sha256" / sha256[:2] / sha256


def is_kept(sha256: str, cache: Path) -> bool:
    """Whether the cache has the file with that hash."""
    return kept_path(sha256, cache).is_file()


def read(url: str, *, limit: int, tries: int = MAX_TRIES) -> bytes:
    """A small file that nobody has hashed, such as a signed index: at most `limit` bytes. Raises `NetworkError`."""
    path = local_path(url)
    if path is None:
        with make_client() as client:
            return retry(url, lambda: _read_once(client, url, limit), tries=tries)
    with _file_errors(url, path), path.open("rb") as f:
        data = f.read(limit + 1)
    if len(data) > limit:
        raise too_long(url, limit)
    return data


# — one file —


@dataclass
class _Job:
    """One download. What has arrived is kept over a broken connection, and the rest is asked for."""

    file: File
    path: Path
    transfer: Transfer
    have: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def run(self) -> None:
        with translate_disk_full(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".part-")
            try:
                with os.fdopen(fd, "wb") as out:
                    self._fill(out)
                    self._check()
                    out.flush()
                    os.fsync(out.fileno())
                Path(temporary).chmod(0o444)
                Path(temporary).replace(self.path)
            finally:
                Path(temporary).unlink(missing_ok=True)

    def _fill(self, out: IO[bytes]) -> None:
        local = local_path(self.file.url)
        if local is None:
            retry(self.file.url, lambda: self._download(out))
            return
        with _file_errors(self.file.url, local), local.open("rb") as f:
            while chunk := f.read(_CHUNK):
                self._take(out, chunk)

    def _download(self, out: IO[bytes]) -> None:
        # A compressed answer would be neither the bytes that were hashed nor the range that was asked for.
        headers = {**dict(self.file.headers), "Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={self.have}-"} if self.have else {}
        with self.transfer.client.stream("GET", self.file.url, headers=headers) as answer:
            if answer.status_code == 416 or (self.have and answer.status_code == 200):
                self._restart(out)
            if answer.status_code == 416:
                raise Retryable("the server has less than it began to send")
            check_status(self.file.url, answer)
            for chunk in answer.iter_raw():  # unbuffered: what has come is not lost when the connection breaks
                self._take(out, chunk)

    def _restart(self, out: IO[bytes]) -> None:
        self.transfer.advance(-self.have)
        self.have, self.digest = 0, hashlib.sha256()
        out.seek(0)
        out.truncate()

    def _take(self, out: IO[bytes], chunk: bytes) -> None:
        self.have += len(chunk)
        limit = MAX_BYTES if self.file.size is None else self.file.size
        if self.have > limit:
            raise self._mismatch(f"more than {limit} bytes")
        out.write(chunk)
        self.digest.update(chunk)
        self.transfer.advance(len(chunk))

    def _check(self) -> None:
        if self.digest.hexdigest() != self.file.sha256:
            raise self._mismatch(f"SHA-256 {self.digest.hexdigest()} ({self.have} bytes)")

    def _mismatch(self, found: str) -> HashMismatch:
        return HashMismatch(
            f"{self.file.name} is not what was pinned: expected SHA-256 {self.file.sha256}, got {found}",
            where=without_login(self.file.url),
            fix="the file was replaced or damaged on the way: try again, use another mirror, or lock again",
        )


# — the cache —


def _place(file: File, cache: Path) -> Path:
    if not _SHA256.fullmatch(file.sha256):
        raise BadInput(
            f"{file.name} has no SHA-256 but {file.sha256[:100]!r}",
            where=without_login(file.url),
            fix="give 64 hex digits",
        )
    return kept_path(file.sha256, cache)


def _is_there(path: Path, file: File) -> bool:
    # Checked when it was written, and put in place whole; a different size is a disk's fault.
    try:
        return file.size is None or path.stat().st_size == file.size if path.is_file() else False
    except OSError:
        return False


def _read_once(client: httpx.Client, url: str, limit: int) -> bytes:
    with client.stream("GET", url) as answer:
        check_status(url, answer)
        return read_body(url, answer, limit)


@contextlib.contextmanager
def _file_errors(url: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as e:
        raise NetworkError(f"the file cannot be read: {e.strerror}", where=str(path), fix=f"check {url}") from e
