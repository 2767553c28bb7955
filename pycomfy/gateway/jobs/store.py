"""The protocol of a job store. SQLite is the first; NATS JetStream is to be the next (one contract suite for both)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from .model import Job, JobError, JobRequest, Output, State


class QueueFull(Exception):
    """So many jobs wait, of all or of the owner, or so many bytes of them, that none is accepted; `retry_after` in
    seconds."""

    def __init__(self, of: Literal["jobs", "jobs of the owner", "bytes"], retry_after: int) -> None:
        super().__init__(f"the queue is full of {of}: try again in {retry_after} s")
        self.of = of
        self.retry_after = retry_after


class KeyReuse(Exception):
    """The owner used the idempotency key before, for `job` (None: it was removed since), with `fingerprint`.

    Several requests that are added together may share a key: `job` is the first of them.
    """

    def __init__(self, job: Job | None, fingerprint: str | None = None) -> None:
        super().__init__("the idempotency key was used before")
        self.job = job
        self.fingerprint = fingerprint


class BatchTooLarge(ValueError):
    """More jobs, or bytes of them, at once than the queue holds when it is empty: no wait would help."""

    def __init__(self, most: str) -> None:
        super().__init__(f"the queue holds at most {most}")


class StoreFull(Exception):
    """There is no space left for the change, which was not made. Finished jobs can be removed and the call repeated.

    A store keeps a reserve for changes of jobs that it has accepted: these get this only when that is used up too.
    """


class StoreUnavailable(OSError):
    """The store cannot be used: its files are in use, may not be written, or cannot be read. Says which and why."""


@dataclass(frozen=True)
class Page:
    """Newest first; `cursor` leads to the next page, None at the end."""

    jobs: list[Job]
    cursor: str | None = None


@dataclass(frozen=True)
class JobFilter:
    """`owner` None: of everybody. Empty filters let everything through."""

    owner: str | None = None
    states: frozenset[State] = frozenset()
    batch: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """How many jobs are in each state, and since when the oldest waits (seconds; 0.0 if none does)."""

    states: dict[State, int]
    oldest_wait: float = 0.0


@dataclass(frozen=True)
class Delivery:
    """The webhook of a finished job, which was tried `tries` times and is not to be tried again before `next_try`."""

    job: str
    tries: int = 0
    next_try: datetime | None = None


class JobStore(Protocol):
    """Every change is atomic. When its call returns it survives the end of this process and, claims and heartbeats
    excepted, of the machine's power. A change of a record that is not in the state it must be in does nothing and says
    so. `attempt` is the attempt that the caller holds: late words of a zombie change nothing.

    Changes that nobody asked for come from `recover` and `expire` alone: they return all jobs that they changed, for
    events and webhooks.
    """

    async def add(self, requests: Sequence[JobRequest]) -> list[Job]:
        """Accept all of them or none. Raises `QueueFull`, `KeyReuse`, `StoreFull`, `BatchTooLarge`."""

    async def get(self, job: str) -> Job | None: ...

    async def position(self, job: str) -> int | None:
        """How many jobs will be started before it, as far as is known now; None if it does not wait."""

    async def find(self, wanted: JobFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        """Raises `ValueError` for a cursor that is none."""

    async def claim(self, worker: str, *, lease: float, affinity: Collection[str] = ()) -> Job | None:
        """The next job, which is now running on `worker` until `lease` seconds from now; None if none waits.

        Owners take turns: first the one whose last start is the longest ago. Among the jobs of one, the oldest is
        first, unless one of the oldest eight has an affinity that the worker has loaded and the oldest was passed over
        less than eight times. A job past its deadline is never returned; `expire` ends it.
        """

    async def wait(self, timeout: float) -> None:
        """Return when there may be something to claim, or after `timeout` seconds."""

    async def heartbeat(self, job: str, attempt: int, *, lease: float) -> State | None:
        """Prolong the lease. Its state, which may be "canceling"; None if the attempt does not hold it any more."""

    async def add_output(self, job: str, attempt: int, output: Output) -> bool:
        """Commit an output while the job runs or is being canceled. An output with the same asset is committed once.
        False if the attempt does not hold the job any more."""

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
        """Bring it to the terminal `state`; None if the attempt does not hold it, or `TRANSITIONS` do not allow it.
        `outputs` replace those committed. Raises `ValueError` for a state that is not terminal."""

    async def release(self, job: str, attempt: int, *, reason: JobError, counted: bool = True) -> Job | None:
        """Give it back: it waits again, first of its owner, without the outputs of this attempt, or fails with `reason`
        after its last attempt. A job that is being canceled is canceled, one past its deadline expires.

        Without `counted` the attempt was none, such as one that a stop in good order ends: the job waits again whatever
        its number, and its next attempt has the same. The caller has nothing to say of it afterwards."""

    async def cancel(self, job: str) -> Job | None:
        """Ask for its end: one that waits is canceled, one that runs is canceling; another stays. None: unknown."""

    async def recover(self) -> list[Job]:
        """Call at the start: jobs of workers that are gone are released (`worker_lost`). Those that changed."""

    async def expire(self) -> list[Job]:
        """Call every second: jobs that wait past their deadline expire, those whose lease is over are released
        (`worker_lost`). Those that changed."""

    async def finished(self, *, overdue: bool, limit: int = 100) -> list[Job]:
        """Jobs in a terminal state, those that expire first first. With `overdue`, only those past `expires_at`.

        To be removed: first what belongs to them (their assets), then, with `remove`, they.
        """

    async def remove(self, jobs: Collection[str]) -> int:
        """Forget these jobs, if they are in a terminal state. How many were."""

    async def untold(self, limit: int = 100) -> list[Delivery]:
        """The webhooks of finished jobs, for their state, that `told` was not called for: first those that were never
        tried, of the oldest job first, then by the time of the next try. A webhook is neither lost nor forgotten when
        the gateway is killed between the end of a job and its delivery."""

    async def tried(self, delivery: Delivery) -> None:
        """Keep the number of tries and the time of the next one, unless it was told."""

    async def told(self, job: str) -> None:
        """The webhook of a finished job was delivered, or given up."""

    async def counts(self) -> Counts: ...

    async def close(self) -> None: ...
