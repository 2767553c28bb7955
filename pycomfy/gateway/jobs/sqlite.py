"""The job store of one container: SQLite in the data folder."""

import asyncio
import contextlib
import math
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from . import sqlite_rows as rows
from .model import TERMINAL, TRANSITIONS, Job, JobError, JobRequest, Output, State
from .sqlite_file import JobsFile, Use
from .sqlite_thread import StoreThread
from .store import BatchTooLarge, Counts, Delivery, JobFilter, KeyReuse, Page, QueueFull, StoreFull

T = TypeVar("T")

WORKER_LOST = JobError(code="worker_lost", message="The worker ended, or stopped answering, while it ran the job")
DEADLINE = JobError(code="deadline_exceeded", message="The job was not done before its deadline")

NEAR = 8
"""A worker may take one of so many jobs of an owner out of turn for the models that it has loaded, and pass the oldest
over so often."""

_FEW = 25
"""So many jobs are changed in one transaction: others wait no longer than that."""

_LONGEST = timedelta(days=3650)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class StoreSettings:
    """`max_queued` counts all owners; `max_queued_by_owner` None is no bound of its own. `max_queued_bytes` is the size
    of the requests that wait, as they are written.

    `durable` says what waits for the disk, and so survives a loss of power when its call returns: every change of a
    state, the acceptance of jobs only, or nothing. All survive the end of the process.
    `reserve` is the space in bytes that is kept for accepted jobs where the disk is full, and half as much again for
    their ends; 0 is none.
    """

    max_queued: int = 1000
    max_queued_by_owner: int | None = None
    max_queued_bytes: int = 1 << 30
    max_attempts: int = 3
    retention: timedelta = timedelta(days=1)
    keys_kept: timedelta = timedelta(days=1)
    durable: Literal["all", "accepted", "none"] = "all"
    reserve: int = 8 << 20


@dataclass(frozen=True)
class Clock:
    """`now` is the time of day, in UTC, for what is kept; `monotonic` are seconds that never jump, for leases."""

    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic


class SqliteStore:
    """Open one with `open`, once per file. A file that could not be used was put at `set_aside`, for `reason`.

    Leases are kept in memory: none outlives the process, and the workers are gone with it.
    """

    def __init__(self, path: Path, settings: StoreSettings, clock: Clock) -> None:
        self._path, self._settings, self._clock = path, settings, clock
        self._thread = StoreThread(path.with_name(path.name + "-wal"), tidy=lambda: self._file.bring_in())
        self._arrival = asyncio.Event()
        self._arrival.set()
        self._leases: dict[str, tuple[int, float]] = {}
        self._starts: deque[float] = deque(maxlen=64)
        self._file: JobsFile
        self.set_aside: Path | None = None
        self.reason: str | None = None

    @classmethod
    async def open(cls, path: Path, settings: StoreSettings | None = None, clock: Clock | None = None) -> "SqliteStore":
        """Raises `StoreUnavailable`, `StoreFull`."""
        store = cls(path, settings or StoreSettings(), clock or Clock())
        try:
            store._file = await store._thread.submit(lambda: JobsFile(path, store._settings.reserve), quick=False)
        except BaseException:
            await store._thread.close(lambda: None)
            raise
        store.set_aside, store.reason = store._file.set_aside, store._file.reason
        return store

    async def close(self) -> None:
        await self._thread.close(lambda: self._file.close())

    # Acceptance

    async def add(self, requests: Sequence[JobRequest]) -> list[Job]:
        requests = list(requests)
        durable = self._settings.durable != "none"
        quick = len(requests) <= _FEW and self._file.has_reserve
        return await self._submit(
            lambda: self._add(requests), durable=durable, quick=quick, use="none", then=self._arrived
        )

    def _add(self, requests: list[JobRequest]) -> list[Job]:
        now = self._clock.now()
        self._refuse_reused(requests, now)
        self._refuse_many(requests)
        texts = [rows.write_request(request) for request in requests]
        self._refuse_large(len(texts), size := sum(len(text.encode()) for text in texts))
        jobs = [self._new_job(request, now) for request in requests]
        rows.insert(self._db, jobs, texts)
        self._thread.wrote(size)
        for job in reversed(jobs):  # of several with one key, the first stays
            if (key := job.request.idempotency_key) is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)",
                    (
                        *(job.request.owner, key, job.id, job.request.fingerprint),
                        (now + self._settings.keys_kept).timestamp(),
                    ),
                )
        return jobs

    def _new_job(self, request: JobRequest, now: datetime) -> Job:
        allowed = None if request.timeout is None else min(request.timeout, _LONGEST.total_seconds())
        return Job(
            id=str(uuid.uuid4()),
            request=request,
            created_at=now,
            deadline_at=None if allowed is None else now + timedelta(seconds=allowed),
            expires_at=now + self._settings.retention,
        )

    def _refuse_reused(self, requests: list[JobRequest], now: datetime) -> None:
        for owner, key in dict.fromkeys((request.owner, request.idempotency_key) for request in requests):
            found = self._db.execute(
                "SELECT job, fingerprint FROM keys WHERE owner = ? AND key = ? AND until > ?",
                (owner, key, now.timestamp()),
            ).fetchone()
            if found is not None:
                raise KeyReuse(rows.load(self._db, found[0]), found[1])

    def _refuse_many(self, requests: list[JobRequest]) -> None:
        bounds: list[tuple[Literal["jobs", "jobs of the owner"], int, int, int]] = [
            ("jobs", self._settings.max_queued, len(requests), rows.total(self._db, "queued")[0])
        ]
        if (of_owner := self._settings.max_queued_by_owner) is not None:
            for owner in {request.owner for request in requests}:
                row = self._db.execute("SELECT queued FROM owners WHERE owner = ?", (owner,)).fetchone()
                added = sum(request.owner == owner for request in requests)
                bounds.append(("jobs of the owner", of_owner, added, row[0] if row else 0))
        for kind, bound, added, queued in bounds:
            if added > bound:
                raise BatchTooLarge(f"{bound} jobs")
            if queued + added > bound:
                raise QueueFull(kind, self._retry_after(queued + added - bound))

    def _refuse_large(self, added: int, size: int) -> None:
        bound = self._settings.max_queued_bytes
        number, queued = rows.total(self._db, "queued")
        if size > bound:
            raise BatchTooLarge(f"{bound} bytes of requests")
        if queued + size > bound:
            # So many jobs of those that wait have that size.
            raise QueueFull("bytes", self._retry_after(math.ceil((queued + size - bound) / (queued / number))))

    def _retry_after(self, needed: int) -> int:
        """Seconds until so many jobs more have started, by the recent rate of starts."""
        if not self._starts:
            return 10
        rate = len(self._starts) / max(self._clock.monotonic() - self._starts[0], 0.001)
        return max(1, min(round(needed / rate + 0.5), 600))

    # Questions

    async def get(self, job: str) -> Job | None:
        return await self._read(lambda: rows.load(self._db, job))

    async def position(self, job: str) -> int | None:
        return await self._read(lambda: rows.position(self._db, job))

    async def find(self, wanted: JobFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        return await self._read(lambda: rows.find(self._db, wanted, limit, cursor), quick=False)

    async def counts(self) -> Counts:
        return await self._read(lambda: rows.counts(self._db, self._clock.now()))

    async def finished(self, *, overdue: bool, limit: int = 100) -> list[Job]:
        until = self._clock.now().timestamp() if overdue else float("inf")
        ended = "WHERE expires <= ? ORDER BY expires LIMIT ?"
        return await self._read(lambda: rows.load_all(self._db, ended, until, limit), quick=False)

    async def untold(self, limit: int = 100) -> list[Delivery]:
        return await self._read(lambda: rows.find_deliveries(self._db, limit), quick=False)

    # Work

    async def claim(self, worker: str, *, lease: float, affinity: Collection[str] = ()) -> Job | None:
        loaded = frozenset(affinity)

        def note(job: Job | None) -> None:
            if job is None:
                self._thread.tell(self._arrival.clear)
            else:
                now = self._clock.monotonic()
                self._leases[job.id] = (job.attempt, now + lease)
                self._starts.append(now)

        claimed = self._submit(lambda: self._claim(worker, loaded), use="some", then=note)
        try:
            return await asyncio.shield(claimed)
        except asyncio.CancelledError:
            claimed.add_done_callback(self._give_back)
            raise

    def _claim(self, worker: str, loaded: frozenset[str]) -> Job | None:
        now = self._clock.now()
        for (owner,) in self._db.execute("SELECT owner FROM owners WHERE queued > 0 ORDER BY turn, owner").fetchall():
            near = self._db.execute(
                "SELECT id, affinity, passed FROM jobs WHERE owner = ? AND state = 'queued'"
                " AND (deadline IS NULL OR deadline > ?) ORDER BY place LIMIT ?",
                (owner, now.timestamp(), NEAR),
            ).fetchall()
            if near:
                break
        else:
            return None
        oldest, passed = near[0][0], near[0][2]
        fitting = [job for job, affinity, _ in near if affinity and affinity in loaded]
        chosen = fitting[0] if fitting and passed < NEAR else oldest
        if chosen != oldest:
            self._db.execute("UPDATE jobs SET passed = passed + 1 WHERE id = ?", (oldest,))
        self._db.execute("UPDATE owners SET turn = (SELECT max(turn) + 1 FROM owners) WHERE owner = ?", (owner,))
        job = rows.load(self._db, chosen)
        assert job is not None  # noqa: S101
        started = {"state": "running", "started_at": now, "worker": worker, "attempt": job.attempt + 1}
        return rows.update(self._db, job.model_copy(update=started))

    def _give_back(self, claimed: "asyncio.Future[Job | None]") -> None:
        """The claimant was cancelled before it heard of the job: the job waits as before."""
        if claimed.cancelled() or claimed.exception() is not None or (job := claimed.result()) is None:
            return

        def back() -> None:
            if (held := self._held(job.id, job.attempt)) is not None and held.state == "running":
                self._requeue(held.model_copy(update={"attempt": held.attempt - 1}))

        with contextlib.suppress(Exception):  # if it fails, the lease ends
            self._submit(back, then=self._arrived).add_done_callback(lambda done: done.cancelled() or done.exception())

    async def wait(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._arrival.wait()

    async def heartbeat(self, job: str, attempt: int, *, lease: float) -> State | None:
        def beat() -> State | None:
            row = self._db.execute("SELECT state, attempt FROM jobs WHERE id = ?", (job,)).fetchone()
            if row is None or row[0] not in ("running", "canceling") or row[1] != attempt:
                return None
            self._leases[job] = (attempt, self._clock.monotonic() + lease)
            state: State = row[0]
            return state

        return await self._read(beat)

    async def add_output(self, job: str, attempt: int, output: Output) -> bool:
        def work() -> bool:
            held = self._held(job, attempt)
            if held is not None and all(known.asset != output.asset for known in held.outputs):
                rows.update(self._db, held.model_copy(update={"outputs": (*held.outputs, output)}))
            return held is not None

        return await self._change(work, use="some")

    async def finish(
        self,
        job: str,
        attempt: int,
        state: State,
        *,
        outputs: Sequence[Output] | None = None,
        error: JobError | None = None,
        warnings: Sequence[str] = (),
    ) -> Job | None:
        if state not in TERMINAL:
            raise ValueError(f"no job ends as {state}")

        def work() -> Job | None:
            held = self._held(job, attempt)
            if held is None or state not in TRANSITIONS[held.state]:
                return None
            kept = held.outputs if outputs is None else tuple(outputs)
            more = {"outputs": kept, "warnings": (*held.warnings, *warnings)}
            return self._end(held.model_copy(update=more), state, error)

        return await self._change(work)

    async def release(self, job: str, attempt: int, *, reason: JobError, counted: bool = True) -> Job | None:
        def work() -> Job | None:
            held = self._held(job, attempt)
            return None if held is None else self._release(held, reason, counted=counted)

        return await self._change(work, then=self._arrived)

    async def cancel(self, job: str) -> Job | None:
        def work() -> Job | None:
            found = rows.load(self._db, job)
            if found is not None and found.state == "queued":
                return self._end(found, "canceled")
            if found is not None and found.state == "running":
                return rows.update(self._db, found.model_copy(update={"state": "canceling"}))
            return found

        return await self._change(work)

    # Upkeep

    async def recover(self) -> list[Job]:
        def work() -> list[Job]:
            lost = rows.load_all(self._db, "WHERE state IN ('running', 'canceling') LIMIT ?", _FEW)
            return [self._release(job, WORKER_LOST) for job in lost]

        return await self._repeat(work, quick=False)

    async def expire(self) -> list[Job]:
        changed = await self._repeat(self._expire, quick=True)
        if await self._read(self._file.has_free_pages):
            with contextlib.suppress(StoreFull):  # giving space back takes some, for a moment: it is tried again
                await self._thread.submit(self._file.shrink, quick=False)
        return changed

    def _expire(self) -> list[Job]:
        now, steady = self._clock.now(), self._clock.monotonic()
        self._db.execute("DELETE FROM keys WHERE until <= ?", (now.timestamp(),))
        late = "WHERE state = 'queued' AND deadline IS NOT NULL AND deadline <= ? ORDER BY deadline LIMIT ?"
        changed = [self._end(job, "expired", DEADLINE) for job in rows.load_all(self._db, late, now.timestamp(), _FEW)]
        held = self._db.execute("SELECT id, attempt FROM jobs WHERE state IN ('running', 'canceling')").fetchall()
        self._leases = {job: self._leases[job] for job, _ in held if job in self._leases}
        for job, attempt in held:
            leased, until = self._leases.get(job, (0, 0.0))
            if (leased != attempt or until <= steady) and (lost := self._held(job, attempt)) is not None:
                changed.append(self._release(lost, WORKER_LOST))
        return changed

    async def remove(self, jobs: Collection[str]) -> int:
        left, removed = list(jobs), 0
        while left:
            some, left = left[:_FEW], left[_FEW:]

            def work(some: list[str] = some) -> int:
                return sum(rows.remove(self._db, job) for job in some)

            removed += await self._change(work, quick=False)
        return removed

    async def tried(self, delivery: Delivery) -> None:
        await self._change(lambda: rows.keep_delivery(self._db, delivery))

    async def told(self, job: str) -> None:
        await self._change(lambda: self._db.execute("UPDATE jobs SET untold = 0 WHERE id = ?", (job,)))

    # What the changes have in common; all in the thread of the store, inside a transaction

    def _held(self, job: str, attempt: int) -> Job | None:
        found = rows.load(self._db, job)
        holds = found is not None and found.state in ("running", "canceling") and found.attempt == attempt
        return found if holds else None

    def _release(self, job: Job, reason: JobError, *, counted: bool = True) -> Job:
        if job.state == "canceling":
            return self._end(job, "canceled")
        if job.deadline_at is not None and job.deadline_at <= self._clock.now():
            return self._end(job, "expired", DEADLINE)
        if not counted:
            return self._requeue(job.model_copy(update={"attempt": job.attempt - 1, "outputs": ()}))
        if job.attempt >= self._settings.max_attempts:
            return self._end(job, "failed", reason)
        warnings = (*job.warnings, f"Attempt {job.attempt} ended before it was done: {reason.message}")
        return self._requeue(job.model_copy(update={"warnings": warnings, "outputs": ()}))

    def _requeue(self, job: Job) -> Job:
        """First of its owner: before all that wait, wherever it was before."""
        self._db.execute(
            "UPDATE jobs SET place = min(place, coalesce("
            "(SELECT min(place) - 1 FROM jobs WHERE owner = ? AND state = 'queued'), place)) WHERE id = ?",
            (job.request.owner, job.id),
        )
        return rows.update(self._db, job.model_copy(update={"state": "queued", "started_at": None, "worker": None}))

    def _end(self, job: Job, state: State, error: JobError | None = None) -> Job:
        now = self._clock.now()
        ended = {"state": state, "error": error, "completed_at": now, "expires_at": now + self._settings.retention}
        return rows.update(self._db, job.model_copy(update=ended))

    # The way into the thread

    @property
    def _db(self) -> sqlite3.Connection:
        return self._file.database

    def _arrived(self, _: object) -> None:
        self._thread.tell(self._arrival.set)

    async def _read(self, work: Callable[[], T], *, quick: bool = True) -> T:
        return await self._thread.submit(lambda: self._file.read(work), quick=quick)

    async def _change(
        self,
        work: Callable[[], T],
        *,
        quick: bool = True,
        use: Use = "all",
        then: Callable[[T], None] | None = None,
    ) -> T:
        return await self._submit(work, durable=self._settings.durable == "all", quick=quick, use=use, then=then)

    def _submit(
        self,
        work: Callable[[], T],
        *,
        durable: bool = False,
        quick: bool = True,
        use: Use = "all",
        then: Callable[[T], None] | None = None,
    ) -> "asyncio.Future[T]":
        def call() -> T:
            before = self._db.total_changes
            result = self._file.change(work, use=use)
            if changes := self._db.total_changes - before:
                self._thread.committed(changes)
            if then is not None:
                then(result)
            return result

        return self._thread.submit(call, quick=quick, durable=durable)

    async def _repeat(self, work: Callable[[], list[Job]], *, quick: bool) -> list[Job]:
        """A transaction for each piece, so that others come in between."""
        changed: list[Job] = []
        while some := await self._change(work, quick=quick, then=self._arrived):
            changed += some
        return changed
