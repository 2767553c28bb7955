"""A process that keeps jobs is killed with -9: what it accepted is there afterwards, and ends once."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.jobs.model import TERMINAL, Job, JobError
from pycomfy.gateway.jobs.sqlite import SqliteStore, StoreSettings
from pycomfy.gateway.jobs.store import JobFilter, KeyReuse
from tests.support import sudden_ends
from tests.support.properties import PROFILE

from .contract import output, request

Say = Callable[..., None]
"""Tells the one who kills what was answered: a promise to be held."""

SETTINGS = StoreSettings(reserve=64 << 10, max_queued=100_000)
BATCH = 3


async def open_store(folder: Path) -> SqliteStore:
    return await SqliteStore.open(folder / "jobs.db", SETTINGS)


async def all_jobs(store: SqliteStore) -> list[Job]:
    return (await store.find(JobFilter(), limit=1_000_000)).jobs


class Promises:
    """What was answered, of all processes together."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.ended: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.outputs: set[tuple[str, str]] = set()

    def hear(self, line: str) -> None:
        verb, job, *rest = line.split()
        if verb == "accepted":
            self.accepted.add(job)
            self.keys.update(dict.fromkeys(rest, job))
        elif verb == "output":
            self.outputs.add((job, rest[0]))
        else:
            assert job not in self.ended, f"{job} ended twice: {self.ended[job]}, {line}"
            self.ended[job] = rest[0]

    async def check(self, folder: Path) -> None:
        """All hold, now and after what was left is done."""
        store = await open_store(folder)
        assert store.set_aside is None
        for job in await store.recover():
            if job.is_terminal:
                self.hear(f"ended {job.id} {job.state}")
        there = {job.id: job for job in await all_jobs(store)}
        assert self.accepted <= there.keys()
        assert {job: there[job].state for job in self.ended} == self.ended
        for owner, asset in self.outputs:
            times = [found.asset for found in there[owner].outputs].count(asset)
            assert times == 1 if there[owner].is_terminal else times == 0  # it is made again
        await self._check_batches(there)
        await self._check_totals(store, there)
        for key, known in self.keys.items():
            with pytest.raises(KeyReuse) as refused:
                await store.add([request("keys", idempotency_key=key)])
            assert refused.value.job is not None
            assert refused.value.job.id == known
        while (claimed := await store.claim("last", lease=30)) is not None:
            assert await store.finish(claimed.id, claimed.attempt, "succeeded") is not None
            self.hear(f"ended {claimed.id} succeeded")
        for job in await all_jobs(store):
            assert job.state in TERMINAL
            assert self.ended.get(job.id, job.state) == job.state
            assert job.attempt <= SETTINGS.max_attempts
        await store.close()

    @staticmethod
    async def _check_batches(there: dict[str, Job]) -> None:
        """All jobs of a batch were accepted or none."""
        sizes: dict[str, int] = {}
        for job in there.values():
            if job.request.batch is not None:
                sizes[job.request.batch] = sizes.get(job.request.batch, 0) + 1
        assert set(sizes.values()) <= {BATCH}

    @staticmethod
    async def _check_totals(store: SqliteStore, there: dict[str, Job]) -> None:
        states: dict[str, int] = {}
        for job in there.values():
            states[job.state] = states.get(job.state, 0) + 1
        assert (await store.counts()).states == states
        waiting = [job.id for job in there.values() if job.state == "queued"]
        positions = [await store.position(job) for job in waiting]
        assert sorted(-1 if at is None else at for at in positions) == list(range(len(waiting)))


def say_to(descriptor: int) -> Say:
    """One write a line, which is whole or not there."""

    def say(*words: str) -> None:
        os.write(descriptor, (" ".join(words) + "\n").encode())

    return say


# At each step


async def one_of_each(folder: Path, say: Say) -> None:
    """Every change that a store makes, once."""
    store = await open_store(folder)
    for job in await store.recover():
        if job.is_terminal:
            say("ended", job.id, job.state)
    batch = await store.add([request("a", batch="b1", metadata={"k": "v"})] * BATCH)
    for job in batch:
        say("accepted", job.id)
    (keyed,) = await store.add([request("keys", idempotency_key="key")])
    say("accepted", keyed.id, "key")
    first = await store.claim("w", lease=30)
    second = await store.claim("w", lease=30)
    third = await store.claim("w", lease=30)
    assert first is not None
    assert second is not None
    assert third is not None
    await store.heartbeat(first.id, first.attempt, lease=30)
    await store.add_output(first.id, first.attempt, output("x"))
    say("output", first.id, "x")
    assert await store.finish(first.id, first.attempt, "succeeded")
    say("ended", first.id, "succeeded")
    await store.release(second.id, second.attempt, reason=JobError(code="worker_lost", message="it died"))
    await store.cancel(third.id)
    assert await store.finish(third.id, third.attempt, "canceled")
    say("ended", third.id, "canceled")
    waiting = next(job for job in [*batch, keyed] if job.id not in (first.id, second.id, third.id))
    await store.cancel(waiting.id)
    say("ended", waiting.id, "canceled")
    await store.expire()
    await store.close()


def test_a_kill_at_any_step_loses_nothing_and_ends_nothing_twice(tmp_path: Path) -> None:
    def work(folder: Path) -> Callable[[], None]:
        def doing() -> None:
            descriptor = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            asyncio.run(one_of_each(folder, say_to(descriptor)))

        return doing

    whole = tmp_path / "whole"
    whole.mkdir()
    steps = sudden_ends.list_steps(work(whole))
    assert {"Connection.execute", "Connection.executescript", "posix.fdatasync"} <= set(steps)
    for number, step in list(enumerate(steps))[:: 1 if PROFILE == "ci" else 4]:
        if step == "posix.write":  # what was answered: no step of the store's
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        sudden_ends.kill_before(number, work(folder))
        promises = Promises()
        said = folder / "said"
        for line in said.read_text().splitlines() if said.exists() else []:
            promises.hear(line)
        asyncio.run(promises.check(folder))


# Under load


async def load(folder: Path, seed: int, say: Say) -> None:
    """Callers and workers at once, until the process is killed."""
    store = await open_store(folder)
    for job in await store.recover():
        if job.is_terminal:
            say("ended", job.id, job.state)

    async def call(number: int) -> None:
        for turn in range(1_000_000):
            if turn % 3:
                jobs = await store.add([request(f"o{number}", batch=f"{seed}-{number}-{turn}")] * BATCH)
                for job in jobs:
                    say("accepted", job.id)
            else:
                key = f"{seed}-{number}-{turn}"
                (job,) = await store.add([request("keys", idempotency_key=key)])
                say("accepted", job.id, key)
            if turn % 5 == 4 and (canceled := await store.cancel(job.id)) and canceled.state == "canceled":
                say("ended", job.id, "canceled")

    async def run(number: int) -> None:
        while True:
            job = await store.claim(f"w{number}", lease=30)
            if job is None:
                await store.wait(1)
                continue
            await store.add_output(job.id, job.attempt, output(f"{job.id}-{job.attempt}"))
            ended = await store.finish(job.id, job.attempt, "succeeded") or await store.finish(
                job.id, job.attempt, "canceled"
            )
            if ended is not None:
                say("ended", job.id, ended.state)

    await asyncio.gather(*(call(number) for number in range(3)), *(run(number) for number in range(4)))


def run_until(answers: int, work: Callable[[Say], Coroutine[Any, Any, None]]) -> list[str]:
    """Do the work in a process of its own, and kill it once it has given so many answers. Returns all that it gave."""
    read, write = os.pipe()
    if not (pid := os.fork()):
        try:
            os.close(read)
            asyncio.run(work(say_to(write)))
        finally:
            os._exit(1)
    os.close(write)
    lines: list[str] = []
    with open(read) as said:  # noqa: PTH123  (a file descriptor)
        for line in said:
            lines.append(line)
            if len(lines) == answers:
                os.kill(pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    return lines


@pytest.mark.parametrize("seed", range(2))
def test_ten_kills_under_load_lose_nothing_and_end_nothing_twice(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    promises = Promises()
    for number in range(10):
        for line in run_until(chance.randrange(1, 150), lambda say, n=number: load(tmp_path, n, say)):  # type: ignore[misc]
            promises.hear(line)
    assert len(promises.accepted) > 100
    assert promises.ended
    asyncio.run(promises.check(tmp_path))
