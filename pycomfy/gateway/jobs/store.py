"""The protocol of a job store. SQLite is the first; NATS JetStream is to be the next (one contract suite for both)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .model import Job, JobError, JobRequest, Output, State


class QueueFull(Exception):
    """So many jobs wait that none is accepted; `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


class KeyReuse(Exception):
    """The idempotency key was used before, by `job`."""

    def __init__(self, job: Job) -> None:
        super().__init__("the idempotency key was used before")
        self.job = job


class StoreFull(Exception):
    """There is no space left for the record of a job: it was not accepted."""


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


class JobStore(Protocol):
    """Every change is atomic and durable when its call returns; a change of a record that is not in the state it must
    be in does nothing and says so. `attempt` is the attempt that the caller holds: late words of a zombie change
    nothing.
    """

    async def add(self, requests: Sequence[JobRequest]) -> list[Job]:
        """Accept all of them or none. Raises `QueueFull`, `KeyReuse`, `StoreFull`."""

    async def get(self, job: str) -> Job | None: ...

    async def position(self, job: str) -> int | None:
        """How many jobs will be started before it; None if it does not wait."""

    async def find(self, wanted: JobFilter, *, limit: int = 50, cursor: str | None = None) -> Page:
        """Raises `ValueError` for a cursor that is none."""

    async def claim(self, worker: str, *, lease: float, affinity: Collection[str] = ()) -> Job | None:
        """The next job, which is now running on `worker` until `lease` seconds from now; None if none waits.

        Owners take turns; among the jobs of one, the oldest is first, unless a young one (of at most eight) has an
        affinity that the worker has loaded. Jobs past their deadline expire here.
        """

    async def wait(self, timeout: float) -> None:
        """Return when there may be something to claim, or after `timeout` seconds."""

    async def heartbeat(self, job: str, attempt: int, *, lease: float) -> State | None:
        """Prolong the lease. Its state, which may be "canceling"; None if the attempt does not hold it any more."""

    async def add_output(self, job: str, attempt: int, output: Output) -> bool:
        """Commit an output while the job runs. An output with the same asset is committed once."""

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
        """Bring it to the terminal `state`; None if the attempt does not hold it. `outputs` replace those committed."""

    async def release(self, job: str, attempt: int, *, reason: JobError) -> Job | None:
        """Give it back: it waits again, first of its owner, or fails with `reason` after its last attempt.
        A job that is being canceled is canceled."""

    async def cancel(self, job: str) -> Job | None:
        """Ask for its end: one that waits is canceled, one that runs is canceling; another stays. None: unknown."""

    async def recover(self) -> list[Job]:
        """Call at the start: jobs of workers that are gone are released. Those that changed."""

    async def expire(self) -> list[Job]:
        """Remove jobs whose retention is over, and release jobs whose lease is over; the removed ones."""

    async def counts(self) -> Counts: ...

    async def close(self) -> None: ...
