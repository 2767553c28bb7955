"""The store of assets: files by their bytes, with who may use them, for how long, and what they cost in space."""

import asyncio
import contextlib
import logging
import re
import stat
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from .blobs import Blobs, Incoming, NotSmall, Reserve, has_room
from .model import (
    Asset,
    AssetInUse,
    BlobLost,
    BlobNotFound,
    HashMismatch,
    NewAsset,
    NoSpace,
    TooLarge,
    UnknownAsset,
    parse_hash,
)
from .records import Records

_P = ParamSpec("_P")
_T = TypeVar("_T")

_PIECE = 1 << 20
_SMALL = 1 << 20
_SYNC_DELAY = 0.5
_FEW = 10
"""Records whose removal writes fewer bytes than there are in reserve: each is in some pages of 4 KiB."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """`created_new`: the owner had no asset with these bytes before. Whether others have is not told."""

    asset: Asset
    created_new: bool


@dataclass(frozen=True)
class Usage:
    """Bytes of all blobs, the quota in bytes (None: none), and how many blobs and assets there are."""

    bytes: int
    quota: int | None
    blobs: int
    assets: int


@dataclass(frozen=True)
class _Needs:
    """The jobs that have not ended, and the assets that they need."""

    jobs: frozenset[str]
    assets: frozenset[str]

    def has(self, asset: Asset) -> bool:
        return asset.job in self.jobs or asset.id in self.assets


class AssetStore:
    """Assets in `folder`, their records in `folder.db` beside it. One process at a time.

    Killed at any moment, it has whole blobs only, and no record without its blob. Uploads survive a loss of power as
    soon as they are accepted, results a moment later: until then they are lost as a whole, never in part.
    """

    def __init__(self, folder: Path, *, quota: int | None = None, clock: Callable[[], datetime] | None = None) -> None:
        self._folder = folder
        self._quota = quota
        self._now = clock or (lambda: datetime.now(UTC))
        self._blobs = Blobs(folder)
        self._reserve = Reserve(folder / "reserve")
        self._records: Records
        self._thread = ThreadPoolExecutor(1, "assets")
        self._lock = threading.RLock()
        """Held by whoever uses the records: they are for one thread at a time."""

        self._needs: dict[str, frozenset[str]] = {}
        self._unsynced: set[str] = set()
        self._syncing: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, folder: Path, *, quota: int | None = None, clock: Callable[[], datetime] | None = None
    ) -> AsyncIterator["AssetStore"]:
        """The store, put right after a sudden end. `quota` is in bytes of blobs. Raises `NoSpace`, `OSError`."""
        store = cls(folder, quota=quota, clock=clock)
        try:
            await store._run(store._open)
            yield store
        finally:
            await store._close()

    # — files in —

    async def receive(
        self,
        chunks: AsyncIterable[bytes] | Iterable[bytes],
        new: NewAsset,
        *,
        expected_hash: str | None = None,
        limit: int | None = None,
    ) -> Received:
        """Keep the bytes that come. `limit` is in bytes; `expected_hash` is `blake3:<hex>`.

        Raises `TooLarge`, `HashMismatch`, `NoSpace`, `ValueError` (no hash), and what `chunks` raises: nothing is kept.
        """
        expected = None if expected_hash is None else parse_hash(expected_hash)
        incoming = self._blobs.receive()
        pending, total = bytearray(), 0
        try:
            async for chunk in _each(chunks):
                total += len(chunk)
                if limit is not None and total > limit:
                    raise TooLarge(f"more than the {limit} bytes that are allowed")
                pending += chunk
                if len(pending) >= _PIECE:
                    if new.job is None and not has_room(self._folder):
                        raise NoSpace("what is left on the disk is kept for jobs")
                    await _in_thread(incoming.write, bytes(pending))
                    pending.clear()
            received = await _in_thread(self._complete, incoming, bytes(pending), new, expected)
        finally:
            incoming.discard()
        if new.job is not None:
            self._sync_soon(received.asset.hash)
        return received

    async def adopt(self, path: Path, new: NewAsset, *, move: bool = False) -> Asset:
        """Keep a copy of a file that is there as it is now; the file may be changed or go afterwards.

        It is kept even where that exceeds the quota, after old results were removed: a result is never lost for that.
        With `move` the file itself is taken where the disk has no room for a copy: nobody may write it any more.
        Raises `NoSpace` (the disk), `NotAFile`; a file that was to be moved may be gone then.
        """
        try:
            return await self._adopt(path, new)
        except NoSpace:
            if await self.expire():
                return await self.adopt(path, new, move=move)
            if not move:
                raise
        return await self._adopt(path, new, move=True)

    async def _adopt(self, path: Path, new: NewAsset, *, move: bool = False) -> Asset:
        received = None
        with self._at_once() as is_free, contextlib.suppress(NotSmall):  # it may grow between the look and the copy
            if is_free and not move and self._is_small(path):
                received = self._copy_in(path, new, most=_SMALL)
        if received is None:
            received = await _in_thread(self._copy_in, path, new, move=move)
        self._sync_soon(received.asset.hash)
        return received.asset

    async def mint(self, digest: str, new: NewAsset) -> Received:
        """A new asset over a blob that the owner has, or had, an asset of; an equal upload is prolonged instead.

        Raises `BlobNotFound`, which does not tell whether others have such a blob, and `ValueError` for no hash.
        """
        return await self._run(self._mint, parse_hash(digest), new)

    async def copy(self, digest: str, new: NewAsset) -> Asset:
        """A new asset over a blob that is there, whoever's it is: for the gateway's own use. Raises `BlobNotFound`."""
        return await self._run(self._copy, parse_hash(digest), new)

    async def may_mint(self, digest: str, owner: str) -> bool:
        return await self._run(self._may_mint, parse_hash(digest), owner)

    # — files out —

    async def get(self, asset: str, *, owner: str | None = None) -> Asset:
        """The asset; of any owner for None. Raises `UnknownAsset`, also where it is over or another owner's."""
        with self._at_once() as is_free:
            if is_free:
                return self._get(asset, owner)
        return await self._run(self._get, asset, owner)

    def path(self, asset: Asset) -> Path:
        """Its blob, to be read only. It goes with the last asset over it: `open` where that matters."""
        return self._blobs.path(asset.hash)

    async def open_blob(self, asset: Asset) -> BinaryIO:
        """Its bytes, which can be read even if it is deleted meanwhile. Raises `BlobLost`."""
        try:
            return await _in_thread(self.path(asset).open, "rb")
        except FileNotFoundError as e:
            raise BlobLost(f"the bytes of {asset.id} are gone") from e

    # — what is needed —

    def hold(self, job: str, assets: Collection[str] = ()) -> None:
        """Keep these until `release(job)`, besides those held for it; the job's own results are kept, too.

        Kept in memory: after a start, call it for each job that has not ended. Hold first, then look with `get`: what
        is there then stays.
        """
        self._needs[job] = self._needs.get(job, frozenset()) | {asset.lower() for asset in assets}

    def release(self, job: str) -> None:
        self._needs.pop(job, None)

    # — files away —

    async def delete(self, asset: str, *, owner: str | None = None) -> None:
        """Delete the record; the blob goes with the last record over it. Raises `UnknownAsset`, `AssetInUse`."""
        await self._run(self._delete, asset, owner)

    async def discard(self, job: str, *, keep: Collection[str] = ()) -> int:
        """Remove what a job made, but those in `keep`: how many. For a job that is gone, or an attempt that failed."""
        return await self._run(self._discard, job, frozenset(keep))

    async def expire(self) -> int:
        """Remove the assets whose time is over, unless a job needs them: how many."""
        return await self._run(self._expire)

    async def free(self, size: int) -> int:
        """Remove assets until that many bytes are freed, or nothing more may go: how many bytes that were.

        Those whose time is over go first, longest over first, then results of jobs that have ended, oldest first.
        """
        return await self._run(self._free, size)

    async def usage(self) -> Usage:
        return await self._run(self._usage)

    # — quick things, in the event loop: the way to another thread and back takes ten times as long —

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[bool]:
        """Whether nobody uses the records; and nobody does then, until the end of the block."""
        is_free = self._lock.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._lock.release()

    def _is_small(self, path: Path) -> bool:
        """Whether it is a small file, for which nothing else has to go."""
        try:
            about = path.lstat()
        except (OSError, ValueError):
            return False
        fits = self._quota is None or self._records.total + about.st_size <= self._quota
        return stat.S_ISREG(about.st_mode) and about.st_size <= _SMALL and fits

    # — bringing a file in —

    def _copy_in(self, path: Path, new: NewAsset, *, move: bool = False, most: int | None = None) -> Received:
        incoming = self._blobs.receive()
        try:
            if move:
                incoming.move_from(path)
            else:
                incoming.copy_from(path, most=most)
            return self._complete(incoming, b"", new, None)
        finally:
            incoming.discard()

    def _complete(self, incoming: Incoming, last: bytes, new: NewAsset, expected: str | None) -> Received:
        durable = new.job is None
        incoming.complete(last, durable=durable)
        if expected is not None and incoming.hash != expected:
            raise HashMismatch(f"the bytes have the hash {incoming.hash}, not {expected}")
        with self._lock:
            return self._keep(incoming, new, durable=durable)

    # — in the thread of the store, with the lock —

    async def _run(self, function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        def call() -> _T:
            with self._lock:
                return function(*arguments, **named)

        return await _finish(asyncio.get_running_loop().run_in_executor(self._thread, call))

    def _open(self) -> None:
        self._blobs.prepare()
        self._reserve.give()
        self._records = Records(self._folder.with_name(f"{self._folder.name}.db"))
        for digest in self._records.unsynced():
            if self._blobs.verify(digest):
                self._unsynced.add(digest)
            else:
                log.warning("a result was lost with the power: %s", digest)
                self._records.forget_blob(digest)
                self._blobs.remove(digest)
        self._sync(self._unsynced)
        self._unsynced.clear()
        if swept := self._blobs.sweep(frozenset(self._records.blobs())):
            log.info("removed %d files that no asset needs", swept)
        self._reserve.take()

    async def _close(self) -> None:
        if self._syncing is not None:
            self._syncing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._syncing
        if hasattr(self, "_records"):
            await self._run(self._sync, self._unsynced)
            await self._run(self._records.close)
        self._thread.shutdown()

    def _keep(self, incoming: Incoming, new: NewAsset, *, durable: bool) -> Received:
        digest, size = incoming.hash, incoming.size
        is_new = self._records.blob_size(digest) is None
        had = self._records.may_use(digest, new.owner)
        if is_new and self._quota is not None:
            over = self._records.total + size - self._quota
            # What somebody brings takes no result of somebody else's.
            if over > 0 and self._free(over, new.owner if new.job is None else None) < over and new.job is None:
                raise NoSpace(f"the quota of {self._quota} bytes for files is used up")
        self._blobs.place(incoming, durable=durable)
        try:
            asset = self._records.add(digest, size, new, now=self._now(), durable=durable)
        except BaseException:
            if is_new:
                self._blobs.remove(digest)
            raise
        return Received(asset, created_new=not had)

    def _may_mint(self, digest: str, owner: str) -> bool:
        return self._records.may_use(digest, owner) and self._blobs.size(digest) is not None

    def _copy(self, digest: str, new: NewAsset) -> Asset:
        size = self._records.blob_size(digest)
        if size is None or self._blobs.size(digest) != size:
            raise BlobNotFound("there is no blob of this hash any more")
        return self._records.add(digest, size, new, now=self._now(), durable=False)

    def _mint(self, digest: str, new: NewAsset) -> Received:
        size = self._records.blob_size(digest)
        if size is None or not self._may_mint(digest, new.owner):
            raise BlobNotFound("there is no blob of this hash that you may use")
        if new.content_type is None:
            new = replace(new, content_type=self._records.find_type(digest, new.owner))
        same = self._records.find_same(digest, new)
        if same is None or (same.expires_at is not None and same.expires_at <= self._now()):
            return Received(self._records.add(digest, size, new, now=self._now(), durable=True), created_new=True)
        self._records.prolong(same.id, new.expires_at)
        return Received(self._get(same.id, None), created_new=False)

    def _get(self, asset: str, owner: str | None) -> Asset:
        found = self._records.get(asset.lower()) if _ID.fullmatch(asset) else None
        if found is None or (owner is not None and found.owner != owner):
            raise UnknownAsset("there is no such asset")
        if found.expires_at is not None and found.expires_at <= self._now() and not self._needs_now().has(found):
            raise UnknownAsset("there is no such asset")
        return found

    def _needs_now(self) -> "_Needs":
        needs = self._needs.copy()  # the loop's thread changes it
        return _Needs(frozenset(needs), frozenset().union(*needs.values()))

    def _delete(self, asset: str, owner: str | None) -> None:
        found = self._get(asset, owner)
        if self._needs_now().has(found):
            raise AssetInUse("the asset is in use")
        self._remove([found])

    def _discard(self, job: str, keep: frozenset[str]) -> int:
        keep |= self._needs_now().assets
        gone = [asset for asset in self._records.results(job) if asset.id not in keep]
        self._remove(gone)
        return len(gone)

    def _expire(self) -> int:
        needs = self._needs_now()
        gone = [asset for asset in self._records.expired(self._now()) if not needs.has(asset)]
        self._remove(gone)
        return len(gone)

    def _free(self, size: int, owner: str | None = None) -> int:
        """With `owner`, of the results only that owner's."""
        freed, needs = 0, self._needs_now()
        results = (asset for asset in self._records.results() if owner in (None, asset.owner))
        for asset in chain(self._records.expired(self._now()), results):
            if freed >= size:
                break
            if not needs.has(asset):
                freed += self._remove([asset])
        return freed

    def _remove(self, assets: Collection[Asset]) -> int:
        """Bytes of the blobs that went. First the records, then the files: a file without a record is swept.

        A few at a time, so that on a full disk the space in reserve is enough for them, however many there are.
        """
        ids, freed = [asset.id for asset in assets], 0
        for start in range(0, len(ids), _FEW):
            few = ids[start : start + _FEW]
            try:
                gone = self._records.remove(few)
            except NoSpace:
                self._reserve.give()
                self._records.shrink()
                gone = self._records.remove(few)
            for digest in gone:
                self._blobs.remove(digest)
            freed += sum(gone.values())
        if freed:
            self._reserve.take()
        return freed

    def _usage(self) -> Usage:
        assets, blobs = self._records.counts()
        return Usage(self._records.total, self._quota, blobs, assets)

    # — results come to the disk a moment later —

    def _sync_soon(self, digest: str) -> None:
        self._unsynced.add(digest)
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync_later())

    async def _sync_later(self) -> None:
        while self._unsynced:
            await asyncio.sleep(_SYNC_DELAY)
            batch, self._unsynced = self._unsynced, set()
            try:
                synced = await _in_thread(self._blobs.sync, batch)
                await self._run(self._records.mark_synced, synced)
            except (OSError, NoSpace) as e:
                log.warning("results could not be brought to the disk: %s", e)

    def _sync(self, digests: Collection[str]) -> None:
        with contextlib.suppress(NoSpace):
            self._records.mark_synced(self._blobs.sync(digests))


async def _in_thread(function: Callable[..., _T], *arguments: object, **named: object) -> _T:
    """Call it in another thread. Cancelled, wait for its end nevertheless: it works on files that are then removed."""
    return await _finish(asyncio.get_running_loop().run_in_executor(None, lambda: function(*arguments, **named)))


async def _finish(call: asyncio.Future[_T]) -> _T:
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait([call])
        raise


async def _each(chunks: AsyncIterable[bytes] | Iterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
