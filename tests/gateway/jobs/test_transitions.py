"""Whatever is called in whatever order, by living workers and by zombies, with clocks that are set: the store does what
a simple model of it does, and every job reaches one terminal state and stays there."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from pycomfy.gateway.jobs.model import TERMINAL, TRANSITIONS, Job, JobError, State
from pycomfy.gateway.jobs.sqlite import NEAR, SqliteStore, StoreSettings
from pycomfy.gateway.jobs.store import QueueFull
from tests.support.properties import examples

from .clocks import Hands
from .contract import output, request

MAX_QUEUED = 12
ATTEMPTS = 3
REASON = JobError(code="worker_lost", message="it died")


@dataclass
class Expected:
    """What the model knows of a job."""

    id: str
    owner: str
    affinity: str
    deadline: float | None
    state: State = "queued"
    attempt: int = 0
    passed: int = 0
    lease: float = 0.0
    outputs: tuple[str, ...] = ()
    ended: Job | None = None


class StoreMachine(RuleBasedStateMachine):
    jobs: Bundle[Expected] = Bundle("jobs")

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.hands = Hands()
        self.all: dict[str, Expected] = {}
        self.queues: dict[str, list[str]] = {}
        self.turns: dict[str, int] = {}
        self.store = self.open()

    def open(self) -> SqliteStore:
        path = Path(self.folder.name) / "jobs.db"
        chosen = StoreSettings(max_queued=MAX_QUEUED, max_attempts=ATTEMPTS, durable="none", reserve=0)
        store: SqliteStore = self.runner.run(SqliteStore.open(path, chosen, self.hands.clock))
        return store

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.end_all()
        finally:
            self.runner.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    def end_all(self) -> None:
        """All jobs are brought to an end by those who remain; then each is in the state it ended in."""
        self.restart()
        while (job := self.runner.run(self.store.claim("last", lease=30))) is not None:
            assert self.runner.run(self.store.finish(job.id, job.attempt, "succeeded")) is not None
            self.all[job.id].ended = self.runner.run(self.store.get(job.id))
        for job in self.runner.run(self.store.expire()):
            self.all[job.id].ended = job
        for expected in self.all.values():
            found = self.runner.run(self.store.get(expected.id))
            assert found is not None
            assert found.state in TERMINAL
            assert found == expected.ended
            assert found.attempt <= ATTEMPTS

    # What the model does

    def now(self) -> float:
        return self.hands.now.timestamp()

    def steady(self) -> float:
        return self.hands.clock.monotonic()

    def is_late(self, job: Expected) -> bool:
        return job.deadline is not None and job.deadline <= self.now()

    def move(self, job: Expected, state: State, record: Job | None) -> None:
        assert record is not None
        assert state in TRANSITIONS[job.state]
        if job.state == "queued":
            self.queues[job.owner].remove(job.id)
        if state == "queued":
            self.queues[job.owner].insert(0, job.id)
        job.state = state
        job.ended = record if state in TERMINAL else None

    def expect_release(self, job: Expected, record: Job | None) -> None:
        if job.state == "canceling":
            self.move(job, "canceled", record)
        elif self.is_late(job):
            self.move(job, "expired", record)
        elif job.attempt >= ATTEMPTS:
            self.move(job, "failed", record)
        else:
            self.move(job, "queued", record)
            job.outputs = ()

    def expect_claim(self, loaded: str) -> Expected | None:
        owners = sorted((self.turns.get(owner, 0), owner) for owner, queue in self.queues.items() if queue)
        for _, owner in owners:
            waiting = [self.all[job] for job in self.queues[owner]]
            near = [job for job in waiting if not self.is_late(job)][:NEAR]
            if near:
                fitting = [job for job in near if job.affinity and job.affinity == loaded]
                chosen = fitting[0] if fitting and near[0].passed < NEAR else near[0]
                if chosen is not near[0]:
                    near[0].passed += 1
                self.turns[owner] = max(self.turns.values(), default=0) + 1
                return chosen
        return None

    def holds(self, job: Expected, attempt: int) -> bool:
        return job.state in ("running", "canceling") and job.attempt == attempt

    # What happens

    @rule(
        target=jobs,
        owners=st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
        affinity=st.sampled_from(["", "sdxl", "flux"]),
        timeout=st.sampled_from([None, None, 20.0, 0.0]),
    )
    def add(self, owners: list[str], affinity: str, timeout: float | None) -> Any:
        waiting = sum(len(queue) for queue in self.queues.values())
        requests = [request(owner, affinity=affinity, timeout=timeout) for owner in owners]
        if waiting + len(owners) > MAX_QUEUED:
            with pytest.raises(QueueFull):
                self.runner.run(self.store.add(requests))
            return multiple()
        made = []
        for record in self.runner.run(self.store.add(requests)):
            deadline = None if timeout is None else self.now() + timeout
            job = Expected(record.id, record.request.owner, affinity, deadline)
            self.all[job.id] = job
            self.queues.setdefault(job.owner, []).append(job.id)
            made.append(job)
        return multiple(*made)

    @rule(loaded=st.sampled_from(["", "sdxl", "flux"]), lease=st.sampled_from([5.0, 30.0]))
    def claim(self, loaded: str, lease: float) -> None:
        expected = self.expect_claim(loaded)
        record = self.runner.run(self.store.claim("w", lease=lease, affinity=[loaded]))
        assert (record and record.id) == (expected and expected.id)
        if expected is not None:
            self.move(expected, "running", record)
            expected.attempt += 1
            expected.lease = self.steady() + lease

    @rule(job=jobs, attempt=st.integers(0, ATTEMPTS + 1), right=st.booleans())
    def beat(self, job: Expected, attempt: int, right: bool) -> None:
        attempt = job.attempt if right else attempt
        state = self.runner.run(self.store.heartbeat(job.id, attempt, lease=30))
        assert state == (job.state if self.holds(job, attempt) else None)
        if state is not None:
            job.lease = self.steady() + 30

    @rule(job=jobs, attempt=st.integers(0, ATTEMPTS + 1), right=st.booleans(), asset=st.sampled_from("xy"))
    def put(self, job: Expected, attempt: int, right: bool, asset: str) -> None:
        attempt = job.attempt if right else attempt
        held = self.holds(job, attempt)
        assert self.runner.run(self.store.add_output(job.id, attempt, output(asset))) is held
        if held and asset not in job.outputs:
            job.outputs = (*job.outputs, asset)

    @rule(job=jobs, attempt=st.integers(0, ATTEMPTS + 1), right=st.booleans(), state=st.sampled_from(sorted(TERMINAL)))
    def finish(self, job: Expected, attempt: int, right: bool, state: State) -> None:
        attempt = job.attempt if right else attempt
        record = self.runner.run(self.store.finish(job.id, attempt, state))
        allowed = self.holds(job, attempt) and state in TRANSITIONS[job.state]
        assert (record is not None) == allowed
        if allowed:
            self.move(job, state, record)

    @rule(job=jobs, attempt=st.integers(0, ATTEMPTS + 1), right=st.booleans())
    def release(self, job: Expected, attempt: int, right: bool) -> None:
        attempt = job.attempt if right else attempt
        held = self.holds(job, attempt)
        record = self.runner.run(self.store.release(job.id, attempt, reason=REASON))
        assert (record is not None) == held
        if held:
            self.expect_release(job, record)

    @rule(job=jobs)
    def cancel(self, job: Expected) -> None:
        record = self.runner.run(self.store.cancel(job.id))
        if job.state == "queued":
            self.move(job, "canceled", record)
        elif job.state == "running":
            self.move(job, "canceling", record)

    @rule(seconds=st.sampled_from([1, 10, 40]))
    def pass_time(self, seconds: float) -> None:
        self.hands.advance(seconds)

    @rule(seconds=st.sampled_from([-3600, -10, 10, 3600]))
    def set_clock(self, seconds: float) -> None:
        self.hands.jump(seconds)

    @rule()
    def expire(self) -> None:
        changed = {job.id: job for job in self.runner.run(self.store.expire())}
        for job in self.all.values():
            if job.state == "queued" and self.is_late(job):
                self.move(job, "expired", changed.pop(job.id))
            elif job.state in ("running", "canceling") and job.lease <= self.steady():
                # Of several released at once, the one that was released last is first.
                assert job.id in changed
        for id_, record in changed.items():
            self.expect_release(self.all[id_], record)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.store = self.open()
        for record in self.runner.run(self.store.recover()):
            self.expect_release(self.all[record.id], record)

    # What holds all the time

    @invariant()
    def every_record_is_as_expected(self) -> None:
        if not hasattr(self, "store"):
            return
        counts: dict[State, int] = {}
        for job in self.all.values():
            record = self.runner.run(self.store.get(job.id))
            assert record is not None
            assert (record.state, record.attempt) == (job.state, job.attempt)
            assert tuple(found.asset for found in record.outputs) == job.outputs
            assert (record.completed_at is not None) == (job.state in TERMINAL)
            if job.ended is not None:
                assert record == job.ended
            counts[job.state] = counts.get(job.state, 0) + 1
        assert self.runner.run(self.store.counts()).states == counts

    @invariant()
    def the_bytes_of_each_state_are_those_of_its_jobs(self) -> None:
        if not hasattr(self, "store"):
            return
        database = self.store._file.database
        kept = dict(database.execute("SELECT state, bytes FROM totals WHERE bytes > 0").fetchall())
        requests = "SELECT state, sum(length(CAST(request AS BLOB))) FROM jobs JOIN requests USING (seq) GROUP BY state"
        assert kept == dict(database.execute(requests).fetchall())

    @invariant()
    def positions_are_those_of_the_queues(self) -> None:
        if not hasattr(self, "store"):
            return
        positions = [self.runner.run(self.store.position(job)) for queue in self.queues.values() for job in queue]
        assert sorted(-1 if at is None else at for at in positions) == list(range(len(positions)))


TestTransitions = StoreMachine.TestCase
TestTransitions.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
