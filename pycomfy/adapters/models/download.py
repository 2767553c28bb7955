"""Fetching models: several at a time, each continued where it was broken off, and only once by however many processes.

What arrives is no model before its SHA-256 is the pinned one.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

import httpx

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import no_space, translate_disk_full
from pycomfy.adapters.io.http_client import Retryable, check_status, retry, without_login
from pycomfy.adapters.io.parallel_downloads import Transfer
from pycomfy.adapters.models.hubs import denied, hub_client
from pycomfy.adapters.models.store import ModelStore, StoredModel
from pycomfy.core.lockfile.schema import ModelFile, UrlModel
from pycomfy.core.models.model_url import Hubs, source_url
from pycomfy.errors import BadInput, HashMismatch, NetworkError, NotFound, PycomfyError, raise_all
from pycomfy.operation import cancel_scope

JOBS = 4
MAX_BYTES = 1 << 40
"""Bytes of a model whose size is not known; an endless answer ends here."""

LOOK_AGAIN = 0.2
"""Seconds between looks whether another process is done with a model."""

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


def pull_models(models: Sequence[ModelFile], store: ModelStore, hubs: Hubs) -> list[ModelFile]:
    """Fetch those that are not in the store yet, and say which those were. All failures are raised together:
    `NetworkError`, `HashMismatch`, `NoSpace`, and `NotFound` for a model that has no source."""
    wanted: dict[str, ModelFile] = {}
    for model in models:
        wanted.setdefault(model.sha256, model)
    todo = [m for m in wanted.values() if store.find(m.sha256) is None]
    if not todo:
        return []
    with translate_disk_full(store.folder):
        (store.folder / "partial").mkdir(parents=True, exist_ok=True)
    sizes = [m.size for m in todo if m.size is not None]
    _check_space(store, todo)
    title = f"Fetch {todo[0].name}" if len(todo) == 1 else f"Fetch {len(todo)} models"
    with operation.step(title, total=sum(sizes) or None, unit="bytes") as task, hub_client(hubs) as client:
        shared = _Shared(store, hubs, Transfer(client, task, sum(sizes)))
        shared.transfer.run({m.sha256: _Pull(m, shared).run for m in todo}, JOBS)
    return todo


def fetch_unknown(url: str, store: ModelStore, hubs: Hubs) -> StoredModel:
    """Fetch a file into the store, whatever its hash is. Raises `NetworkError`, or `BadInput` for a web page."""
    key = hashlib.sha256(url.encode()).hexdigest()
    name = url.partition("?")[0].rsplit("/", 1)[-1] or "model"
    model = ModelFile(folder="unknown", name=quote(name), sha256=key, sources=(UrlModel(url=url),))
    with translate_disk_full(store.folder):
        (store.folder / "partial").mkdir(parents=True, exist_ok=True)
    with operation.step(f"Fetch {name}", unit="bytes") as task, hub_client(hubs) as client:
        pull = _Unknown(model, _Shared(store, hubs, Transfer(client, task)))
        pull.shared.transfer.run({url: pull.run}, 1)
    sha256 = pull.digest.hexdigest()
    with store.place(sha256).open("rb") as f:
        start = f.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        store.place(sha256).unlink()
        raise BadInput("there is a web page and no file", where=without_login(url), fix="give the file's own address")
    return store.about(sha256)


def _check_space(store: ModelStore, todo: Sequence[ModelFile]) -> None:
    needed = 0
    for model in todo:
        part = store.partial(model.sha256)
        needed += max(0, (model.size or 0) - (part.stat().st_size if part.is_file() else 0))
    if needed > shutil.disk_usage(store.folder).free:
        raise no_space(store.folder)


@dataclass(frozen=True)
class _Shared:
    """What all downloads of one call have in common."""

    store: ModelStore
    hubs: Hubs
    transfer: Transfer


@dataclass
class _Pull:
    """One model. `have` bytes of it are in its partial file, and in `digest`."""

    model: ModelFile
    shared: _Shared
    have: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    told: bool = False

    @property
    def part(self) -> Path:
        return self.shared.store.partial(self.model.sha256)

    def run(self) -> None:
        urls = [source_url(s, self.shared.hubs) for s in self.model.sources]
        if not urls:
            raise NotFound(
                f"the model {self.model.place} is only where it was added",
                where=f"SHA-256 {self.model.sha256}",
                fix=f"pycomfy models add FILE --as {self.model.place}",
            )
        with translate_disk_full(self.part), exclusive(self.part.with_suffix(".lock")):
            if self.shared.store.find(self.model.sha256) is None:
                self._fetch(urls)

    def _fetch(self, urls: Sequence[str]) -> None:
        """From the first address that has it."""
        problems: list[PycomfyError] = []
        for url in urls:
            try:
                self._fetch_from(url)
            except (NetworkError, HashMismatch) as e:
                problems.append(e)
            else:
                self.shared.store.keep(self.part, self.digest.hexdigest())
                return
        raise_all(problems)

    def _fetch_from(self, url: str) -> None:
        resumed = self._take_up()
        with self._open() as out:
            self._fill(url, out)
            if not self._is_whole() and resumed:
                # What was there before may have been another file's beginning: once more from the start.
                self._restart(out)
                self._fill(url, out)
            out.flush()
            os.fsync(out.fileno())
        if not self._is_whole():
            raise self._refuse(url)

    def _take_up(self) -> bool:
        """Hash what an earlier download left, unless this one already did; whether there is anything."""
        if self.part.is_file() and self.have == 0:
            with self.part.open("rb") as f:
                while chunk := f.read(_CHUNK):
                    self.have += len(chunk)
                    self.digest.update(chunk)
                    self.shared.transfer.advance(len(chunk))
        return self.have > 0

    def _open(self) -> IO[bytes]:
        # Unbuffered: what has come is on the way to the disk, even if this process is killed.
        return self.part.open("ab", buffering=0)

    def _fill(self, url: str, out: IO[bytes]) -> None:
        """Ask until all is there. As long as something comes, patience begins anew."""
        while not self._is_whole():
            before = self.have
            try:
                retry(url, lambda: self._download(url, out))
                return
            except NetworkError:
                if self.have <= before:
                    raise

    def _download(self, url: str, out: IO[bytes]) -> None:
        # A compressed answer would be neither the bytes that were hashed nor the range that was asked for.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={self.have}-"} if self.have else {})
        with self.shared.transfer.client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 416:
                self._restart(out)
                raise Retryable("the server has less than it began to send")
            check_status(url, answer, denied(url, self.shared.hubs))
            if self.have and not self._goes_on(answer):
                self._restart(out)
            self._check_size(url, answer)
            for chunk in answer.iter_raw():  # unbuffered: what has come is kept when the connection breaks
                self._take(url, out, chunk)
        if self.have < (self.model.size or 0):
            raise Retryable(f"it ended after {self.have} of {self.model.size} bytes")

    def _goes_on(self, answer: httpx.Response) -> bool:
        """Whether the answer begins where the partial file ends."""
        found = _RANGE.match(answer.headers.get("Content-Range", ""))
        return answer.status_code == 206 and found is not None and int(found[1]) == self.have

    def _check_size(self, url: str, answer: httpx.Response) -> None:
        """A file of another size need not be fetched to know that it is not the one."""
        length = answer.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return
        size = self.have + int(length)
        if self.model.size is None and not self.told:
            self.told = True
            self.shared.transfer.expect(size)
        if self.model.size not in (None, size):
            raise HashMismatch(
                f"{self.model.place}: expected {self.model.size} bytes, but the file there has {size}",
                where=without_login(url),
                fix="lock again if the file was really replaced",
            )

    def _take(self, url: str, out: IO[bytes], chunk: bytes) -> None:
        limit = MAX_BYTES if self.model.size is None else self.model.size
        if self.have + len(chunk) > limit:
            raise self._refuse(url, f" (more than {limit} bytes)")
        rest = memoryview(chunk)
        while rest:
            rest = rest[out.write(rest) :]
        self.have += len(chunk)
        self.digest.update(chunk)
        self.shared.transfer.advance(len(chunk))

    def _is_whole(self) -> bool:
        return self.digest.hexdigest() == self.model.sha256

    def _restart(self, out: IO[bytes]) -> None:
        out.truncate(0)
        self._forget()

    def _forget(self) -> None:
        self.shared.transfer.advance(-self.have)
        self.have, self.digest = 0, hashlib.sha256()

    def _refuse(self, url: str, why: str = "") -> HashMismatch:
        """Set the wrong bytes aside, so that they are neither used nor continued."""
        store, found = self.shared.store, self.digest.hexdigest()
        error = store.set_aside(self.part, self.model.sha256, found)
        self._forget()
        what = f"{self.model.place}: {error.what}{why}"
        return HashMismatch(what, where=f"{without_login(url)}, kept as {error.where}", fix=error.fixes)


@dataclass
class _Unknown(_Pull):
    """A file that nobody has hashed: it is whole when the server has sent it to its end."""

    finished: bool = False

    def _download(self, url: str, out: IO[bytes]) -> None:
        super()._download(url, out)
        self.finished = True

    def _is_whole(self) -> bool:
        return self.finished


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """One process at a time; the file is gone afterwards. Raises `Cancelled` when the operation is cancelled."""
    while True:
        with lock.open("a") as f:
            while not _try_lock(f):
                cancel_scope().wait(LOOK_AGAIN)
            if not _is_current(f, lock):
                continue  # who had it removed it: another file has that name, or none
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _try_lock(f: IO[str]) -> bool:
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(f: IO[str], lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(f.fileno()), lock.stat())
    except FileNotFoundError:
        return False
