"""Fetch files from the network, kept by their content: fetched once, and never trusted unhashed.

Proxies, certificates and logins are `http_client`'s business.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import (
    MAX_TRIES,
    Client,
    ServerUnreachable,
    check_status,
    local_path,
    make_client,
    read_body,
    retry,
    too_long,
    without_login,
)
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.io.resumable import DownloadProgress, ExpectedFile, ResumableDownload, open_local
from pycomfy.errors import BadInput

JOBS = 8
MAX_BYTES = 64 << 30
"""Bytes of a file of unknown size."""

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
    """Return the file with that hash, from the cache or from `url` (https, http, file). It must not be changed.

    Raises `NetworkError`, `HashMismatch`, `NoSpace`, or `BadInput` for another kind of URL.
    """
    return fetch_all([File(url, sha256, name, size)], cache=cache)[0]


def fetch_all(files: Sequence[File], *, cache: Path | None = None, title: str = "Download") -> list[Path]:
    """Fetch several files, some at a time; return them in the order they were given. All failures are raised together,
    except that an unreachable server ends everything at once."""
    paths = [_cache_path(f, cache or find_paths().cache) for f in files]
    missing = {p: f for p, f in zip(paths, files, strict=True) if not _is_cached(p, f)}
    if not missing:
        return paths
    known = sum(f.size or 0 for f in missing.values())
    total = known if all(f.size is not None for f in missing.values()) else None
    with operation.step(title, total=total, unit="bytes") as task, make_client() as client:
        progress = DownloadProgress(task, known)
        jobs = {str(path): partial(_fetch_one, file, path, client, progress) for path, file in missing.items()}
        run_concurrently(jobs, at_once=JOBS, fatal=(ServerUnreachable,))
    return paths


def _fetch_one(file: File, path: Path, client: Client, progress: DownloadProgress) -> None:
    expected = ExpectedFile(file.name, file.sha256, file.size, MAX_BYTES)
    with translate_disk_full(path), _temporary_file(path.parent) as temporary:
        ResumableDownload(expected, temporary, client, progress).fetch(file.url, dict(file.headers))
        temporary.chmod(0o444)
        temporary.replace(path)


def fetch_unpinned(url: str, *, cache: Path, limit: int) -> tuple[Path, str]:
    """Fetch a file that nobody has hashed, of at most `limit` bytes; return it as kept, and the SHA-256 it has.

    Raises `NetworkError`, `NoSpace`.
    """

    def download(to: Path) -> None:
        with operation.step("Download", unit="bytes") as task, make_client() as client:
            expected = ExpectedFile(without_login(url), None, None, limit)
            ResumableDownload(expected, to, client, DownloadProgress(task)).fetch(url)

    return _keep(download, cache)


def keep_file(file: Path, cache: Path) -> tuple[Path, str]:
    """Keep a file of this machine as downloads are kept; return it there, and its SHA-256. Raises `NoSpace`."""
    return _keep(partial(_copy, file), cache)


def _copy(file: Path, to: Path) -> None:
    with file.open("rb") as f, to.open("wb") as out:
        shutil.copyfileobj(f, out, _CHUNK)
        out.flush()
        os.fsync(out.fileno())


def _keep(fill: Callable[[Path], None], cache: Path) -> tuple[Path, str]:
    with translate_disk_full(cache), _temporary_file(cache / "sha256") as temporary:
        fill(temporary)
        with temporary.open("rb") as f:
            sha256 = hashlib.file_digest(f, "sha256").hexdigest()
        path = kept_path(sha256, cache)
        path.parent.mkdir(exist_ok=True)
        temporary.chmod(0o444)
        temporary.replace(path)
    return path, sha256


@contextmanager
def _temporary_file(folder: Path) -> Iterator[Path]:
    """An empty file in `folder`, which is created; in the end it is removed if it is still there."""
    folder.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=folder, prefix=".part-")
    os.close(fd)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def kept_path(sha256: str, cache: Path) -> Path:
    """Return where the cache has the file with that hash, if it has it."""
    return cache / "sha256" / sha256[:2] / sha256


def is_kept(sha256: str, cache: Path) -> bool:
    """Return whether the cache has the file with that hash."""
    return kept_path(sha256, cache).is_file()


def find_kept(sha256: str, cache: Path) -> Path | None:
    """Return the file with that hash if the cache has it, whole."""
    path = kept_path(sha256, cache)
    try:
        with path.open("rb") as f:
            return path if hashlib.file_digest(f, "sha256").hexdigest() == sha256 else None
    except OSError:
        return None


def read(url: str, *, limit: int, tries: int = MAX_TRIES) -> bytes:
    """Return a small file that nobody has hashed, such as a signed index: at most `limit` bytes. Raises
    `NetworkError`."""
    path = local_path(url)
    if path is None:
        with make_client() as client:
            return retry(url, lambda: _read_once(client, url, limit), tries=tries)
    with open_local(url, path) as f:
        data = f.read(limit + 1)
    if len(data) > limit:
        raise too_long(url, limit)
    return data


def _read_once(client: httpx.Client, url: str, limit: int) -> bytes:
    with client.stream("GET", url) as response:
        check_status(url, response)
        return read_body(url, response, limit)


def _cache_path(file: File, cache: Path) -> Path:
    if not _SHA256.fullmatch(file.sha256):
        raise BadInput(
            f"{file.name} has no SHA-256 but {file.sha256[:100]!r}",
            where=without_login(file.url),
            fix="give 64 hex digits",
        )
    return kept_path(file.sha256, cache)


def _is_cached(path: Path, file: File) -> bool:
    # Checked when it was written, and put in place whole; a different size is a disk's fault.
    try:
        return file.size is None or path.stat().st_size == file.size if path.is_file() else False
    except OSError:
        return False
