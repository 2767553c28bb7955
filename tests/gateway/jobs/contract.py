"""What every job store keeps. A test module of a store inherits the class and makes the fixture `place`."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Protocol

import pytest

from pycomfy.gateway.jobs.model import Job, JobError, JobRequest, Output, State, Webhook
from pycomfy.gateway.jobs.store import BatchTooLarge, Delivery, JobFilter, JobStore, KeyReuse, QueueFull

from .clocks import Hands

GRAPH = {"1": {"class_type": "KSampler", "inputs": {"seed": 5, "text": "ein Hündchen 🐕"}}}
LOST = JobError(code="worker_lost", message="it died")


class Place(Protocol):
    """Where the stores of one test are: what one has accepted, the next one there has too."""

    hands: Hands

    async def open(self, **settings: Any) -> JobStore: ...


def request(owner: str = "", **more: Any) -> JobRequest:
    return JobRequest(graph=GRAPH, owner=owner, **more)


def output(asset: str) -> Output:
    return Output(
        node="9", kind="images", name=f"{asset}.png", type="image", content_type="image/png", size=3, asset=asset
    )


async def add(store: JobStore, *owners: str, **more: Any) -> list[Job]:
    """One job for each owner, each added alone."""
    return [(await store.add([request(owner, **more)]))[0] for owner in owners]


async def claim(store: JobStore, *loaded: str, lease: float = 30) -> Job:
    job = await store.claim("w", lease=lease, affinity=loaded)
    assert job is not None
    return job


async def state_of(store: JobStore, job: Job) -> State:
    found = await store.get(job.id)
    assert found is not None
    return found.state


@pytest.mark.anyio
class JobStoreContract:
    @pytest.fixture
    async def store(self, place: Place) -> AsyncIterator[JobStore]:
        store = await place.open()
        yield store
        await store.close()

    # Acceptance

    async def test_an_accepted_job_is_there_word_for_word(self, store: JobStore, place: Place) -> None:
        asked = request(
            "alice",
            inputs={"seed": 7, "scale": 1.5, "none": None},
            timeout=60.0,
            idempotency_key="k",
            fingerprint="f",
            batch="b",
            metadata={"project": "x"},
            webhook=Webhook(url="https://example.org/hook"),
            traceparent="00-1",
            affinity="flux",
            secret="a name",
            options={"convert": "webp"},
        )
        (job,) = await store.add([asked])
        assert (job.request, job.state, job.attempt, job.created_at) == (asked, "queued", 0, place.hands.now)
        assert job.deadline_at == place.hands.now + timedelta(seconds=60)
        assert await store.get(job.id) == job

    async def test_what_one_store_accepted_the_next_one_has(self, store: JobStore, place: Place) -> None:
        (job,) = await store.add([request("alice")])
        await store.close()
        again = await place.open()
        assert await again.get(job.id) == job
        await again.close()

    async def test_jobs_have_different_ids(self, store: JobStore) -> None:
        jobs = await store.add([request()] * 5)
        assert len({job.id for job in jobs}) == 5

    async def test_nobody_has_a_job_that_was_never_added(self, store: JobStore) -> None:
        assert await store.get("nothing") is None
        assert await store.position("nothing") is None
        assert await store.cancel("nothing") is None
        assert await store.heartbeat("nothing", 1, lease=30) is None
        assert await store.add_output("nothing", 1, output("a")) is False
        assert await store.finish("nothing", 1, "succeeded") is None
        assert await store.release("nothing", 1, reason=LOST) is None
        assert await store.remove(["nothing"]) == 0

    async def test_no_job_is_an_id_that_looks_like_something_else(self, store: JobStore) -> None:
        await store.add([request()])
        for name in ("", "%", "*", "' OR 1=1 --", "../x", "\0", "🐕", "1"):
            assert await store.get(name) is None

    @pytest.mark.parametrize("text", ["\ud800", object()])
    async def test_a_request_that_json_cannot_hold_is_refused_with_its_batch(
        self, store: JobStore, text: object
    ) -> None:
        with pytest.raises(ValueError, match="seriali"):
            await store.add([request(), request(inputs={"text": text})])
        assert (await store.counts()).states == {}

    async def test_a_full_queue_accepts_nothing_and_says_when_to_come_back(self, place: Place) -> None:
        store = await place.open(max_queued=3)
        await store.add([request()] * 2)
        with pytest.raises(QueueFull) as refused:
            await store.add([request()] * 2)
        assert refused.value.retry_after >= 1
        assert (await store.counts()).states == {"queued": 2}
        await store.add([request()])
        await claim(store)
        await store.add([request()])
        await store.close()

    async def test_more_at_once_than_the_queue_ever_holds_is_not_told_to_wait(self, place: Place) -> None:
        store = await place.open(max_queued=3)
        with pytest.raises(BatchTooLarge):
            await store.add([request()] * 4)
        await store.close()

    async def test_the_wait_follows_from_the_recent_rate(self, place: Place) -> None:
        store = await place.open(max_queued=20)
        await store.add([request()] * 20)
        for _ in range(10):
            await claim(store)
            place.hands.advance(6)
        await store.add([request()] * 10)
        with pytest.raises(QueueFull) as refused:
            await store.add([request()] * 5)
        assert 25 <= refused.value.retry_after <= 40  # five at one in six seconds
        await store.close()

    async def test_one_owner_cannot_fill_the_queue_where_a_bound_is_set(self, place: Place) -> None:
        store = await place.open(max_queued=10, max_queued_by_owner=2)
        await store.add([request("a")] * 2)
        with pytest.raises(QueueFull) as refused:
            await store.add([request("a")])
        assert refused.value.of == "jobs of the owner"
        await store.add([request("b")])
        await store.close()

    async def test_the_queue_is_bounded_in_bytes_too(self, place: Place) -> None:
        large = request(inputs={"text": "ä" * 5_000})  # 10,000 bytes
        store = await place.open(max_queued_bytes=25_000)
        with pytest.raises(BatchTooLarge, match="25000 bytes"):
            await store.add([large] * 3)
        await store.add([large] * 2)
        with pytest.raises(QueueFull) as refused:
            await store.add([large])
        assert (refused.value.of, refused.value.retry_after >= 1) == ("bytes", True)
        await store.add([request()])
        assert (await store.counts()).states == {"queued": 3}
        await claim(store)
        await store.add([large])
        await store.close()

    async def test_bytes_wait_until_their_job_starts_or_ends_and_again_when_it_is_given_back(
        self, place: Place
    ) -> None:
        large = request(inputs={"text": "x" * 10_000})
        store = await place.open(max_queued_bytes=15_000)
        (job,) = await store.add([large])
        running = await claim(store)
        await store.release(running.id, 1, reason=LOST)
        await store.close()
        again = await place.open(max_queued_bytes=15_000)  # it is counted over a restart
        with pytest.raises(QueueFull):
            await again.add([large])
        await again.cancel(job.id)
        (second,) = await again.add([large])
        assert await again.remove([job.id]) == 1
        with pytest.raises(QueueFull):
            await again.add([large])
        await again.cancel(second.id)
        await again.add([large])
        await again.close()

    async def test_the_wait_for_bytes_follows_from_the_jobs_that_have_them(self, place: Place) -> None:
        large = request(inputs={"text": "x" * 10_000})
        store = await place.open(max_queued_bytes=105_000)
        for _ in range(2):
            await store.add([large] * 10)
            for _ in range(10):
                await claim(store)
                place.hands.advance(6)
        await store.add([large] * 10)
        with pytest.raises(QueueFull) as refused:
            await store.add([large] * 5)
        assert 25 <= refused.value.retry_after <= 40  # five at one in six seconds
        await store.close()

    # Idempotency keys

    async def test_a_key_is_used_once_by_its_owner(self, store: JobStore) -> None:
        (job,) = await store.add([request("a", idempotency_key="k", fingerprint="f")])
        with pytest.raises(KeyReuse) as refused:
            await store.add([request("a"), request("a", idempotency_key="k", fingerprint="other")])
        assert (refused.value.job, refused.value.fingerprint) == (job, "f")
        assert (await store.counts()).states == {"queued": 1}
        await store.add([request("b", idempotency_key="k")])

    async def test_a_key_that_was_refused_with_its_job_can_be_used(self, place: Place) -> None:
        store = await place.open(max_queued=1)
        await store.add([request("a")])
        with pytest.raises(QueueFull):
            await store.add([request("a", idempotency_key="k")])
        await claim(store)
        await store.add([request("a", idempotency_key="k")])
        await store.close()

    async def test_a_repetition_is_told_from_a_full_queue(self, place: Place) -> None:
        store = await place.open(max_queued=1)
        await store.add([request(idempotency_key="k")])
        with pytest.raises(KeyReuse):
            await store.add([request(idempotency_key="k")])
        await store.close()

    async def test_a_batch_may_have_one_key_and_its_first_job_answers_for_it(self, store: JobStore) -> None:
        jobs = await store.add([request(idempotency_key="k")] * 3)
        with pytest.raises(KeyReuse) as refused:
            await store.add([request(idempotency_key="k")] * 3)
        assert refused.value.job == jobs[0]

    async def test_a_key_is_kept_for_a_day_even_if_its_job_is_not(self, place: Place) -> None:
        store = await place.open(retention=timedelta(hours=1))
        (job,) = await store.add([request(idempotency_key="k", fingerprint="f")])
        await store.cancel(job.id)
        await store.remove([job.id])
        place.hands.advance(23 * 3600)
        await store.expire()
        with pytest.raises(KeyReuse) as refused:
            await store.add([request(idempotency_key="k")])
        assert (refused.value.job, refused.value.fingerprint) == (None, "f")
        place.hands.advance(3600)
        await store.add([request(idempotency_key="k")])
        await store.close()

    async def test_of_many_who_use_a_key_at_once_one_is_accepted(self, store: JobStore) -> None:
        answers = await asyncio.gather(
            *(store.add([request(idempotency_key="k")]) for _ in range(20)), return_exceptions=True
        )
        assert sum(isinstance(answer, list) for answer in answers) == 1
        assert sum(isinstance(answer, KeyReuse) for answer in answers) == 19

    # Order

    async def test_the_oldest_job_of_an_owner_starts_first(self, store: JobStore) -> None:
        jobs = await add(store, "", "", "")
        assert [(await claim(store)).id for _ in jobs] == [job.id for job in jobs]
        assert await store.claim("w", lease=30) is None

    async def test_owners_take_turns_however_many_jobs_one_has(self, store: JobStore) -> None:
        await add(store, *"aaaaabbc")
        assert "".join([(await claim(store)).request.owner for _ in range(8)]) == "abcabaaa"

    async def test_an_owner_who_comes_back_gets_one_turn_and_not_all_that_were_missed(self, store: JobStore) -> None:
        await add(store, *"baaaa")
        assert [(await claim(store)).request.owner for _ in range(4)] == ["a", "b", "a", "a"]
        await add(store, *"bb")
        assert [(await claim(store)).request.owner for _ in range(3)] == ["b", "a", "b"]

    async def test_turns_outlive_the_store(self, store: JobStore, place: Place) -> None:
        await add(store, *"ab")
        assert (await claim(store)).request.owner == "a"
        await add(store, "a")
        await store.close()
        again = await place.open()
        assert (await claim(again)).request.owner == "b"
        await again.close()

    async def test_a_worker_gets_a_near_job_for_models_that_it_has_loaded(self, store: JobStore) -> None:
        (first,) = await add(store, "", affinity="sdxl")
        (second,) = await add(store, "", affinity="flux")
        assert (await claim(store, "flux")).id == second.id
        assert (await claim(store, "flux")).id == first.id

    async def test_a_far_job_waits_for_its_turn_whatever_is_loaded(self, store: JobStore) -> None:
        jobs = await add(store, *[""] * 8, affinity="sdxl")
        await add(store, "", affinity="flux")
        assert (await claim(store, "flux")).id == jobs[0].id

    async def test_a_job_is_passed_over_eight_times_at_most(self, store: JobStore) -> None:
        (first,) = await add(store, "", affinity="sdxl")
        await add(store, *[""] * 20, affinity="flux")
        started = [(await claim(store, "flux")).id for _ in range(9)]
        assert started.index(first.id) == 8

    async def test_jobs_without_affinity_fit_no_worker_better(self, store: JobStore) -> None:
        (first, _) = await add(store, "", "", affinity="")
        assert (await claim(store, "")).id == first.id

    async def test_affinity_changes_no_turn_of_owners(self, store: JobStore) -> None:
        await add(store, "a", affinity="sdxl")
        await add(store, *"bb", affinity="flux")
        assert [(await claim(store, "flux")).request.owner for _ in range(3)] == ["a", "b", "b"]

    async def test_the_position_is_the_number_of_starts_before_it(self, store: JobStore) -> None:
        jobs = await add(store, *"aaaabbcacb")
        await claim(store)
        waiting = [job for job in jobs if await state_of(store, job) == "queued"]
        said = {job.id: await store.position(job.id) for job in waiting}
        started = [(await claim(store)).id for _ in waiting]
        assert said == {job: number for number, job in enumerate(started)}
        assert await store.position(jobs[0].id) is None

    # The run

    async def test_a_claimed_job_runs(self, store: JobStore, place: Place) -> None:
        (job,) = await add(store, "")
        place.hands.advance(5)
        running = await store.claim("worker-1", lease=30)
        assert running is not None
        assert (running.id, running.state, running.attempt, running.worker) == (job.id, "running", 1, "worker-1")
        assert running.started_at == place.hands.now
        assert running.revision > job.revision
        assert await store.get(job.id) == running

    async def test_of_many_who_claim_at_once_each_gets_another_job(self, store: JobStore) -> None:
        await store.add([request()] * 10)
        claimed = await asyncio.gather(*(store.claim(f"w{n}", lease=30) for n in range(20)))
        ids = [job.id for job in claimed if job is not None]
        assert len(ids) == len(set(ids)) == 10

    async def test_a_job_that_ended_is_as_it_was_told(self, store: JobStore, place: Place) -> None:
        await add(store, "")
        job = await claim(store)
        place.hands.advance(5)
        for asset in "ab":
            assert await store.add_output(job.id, 1, output(asset))
        assert [found.asset for found in (await store.get(job.id) or job).outputs] == ["a", "b"]
        ended = await store.finish(job.id, 1, "succeeded", warnings=["slow"])
        assert ended is not None
        assert (ended.state, ended.completed_at, ended.warnings) == ("succeeded", place.hands.now, ("slow",))
        assert ended.outputs == (output("a"), output("b"))
        assert ended.expires_at > place.hands.now
        assert await store.get(job.id) == ended

    async def test_an_output_is_committed_once(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        assert await store.add_output(job.id, 1, output("a"))
        assert await store.add_output(job.id, 1, output("a"))
        assert len((await store.get(job.id) or job).outputs) == 1

    async def test_the_outputs_of_the_end_replace_those_before(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        await store.add_output(job.id, 1, output("a"))
        ended = await store.finish(job.id, 1, "succeeded", outputs=[output("b")])
        assert ended is not None
        assert ended.outputs == (output("b"),)

    async def test_a_failure_has_its_reason_and_keeps_what_was_made(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        await store.add_output(job.id, 1, output("a"))
        error = JobError(code="node_failed", message="no", node="3", class_type="X", traceback="t")
        ended = await store.finish(job.id, 1, "failed", error=error)
        assert ended is not None
        assert (ended.error, ended.outputs) == (error, (output("a"),))

    @pytest.mark.parametrize(
        "value",
        [
            *("\ud800", float("nan"), float("inf"), {"a": ["\udfff", 1]}, 2**70, b"\xff"),
            json.loads("[" * 300 + "]" * 300),
            json.loads("[" * 900 + "]" * 900),
        ],
    )
    async def test_no_value_that_a_node_returns_keeps_a_job_from_ending(self, store: JobStore, value: object) -> None:
        await add(store, "")
        job = await claim(store)
        strange = output("a").model_copy(update={"value": value})
        error = JobError(code="node_failed", message="half a character: \ud83d")
        assert await store.add_output(job.id, 1, strange)
        assert await store.finish(job.id, 1, "failed", error=error) is not None
        found = await store.get(job.id)
        assert found is not None
        assert (found.state, found.outputs[0].asset) == ("failed", "a")

    async def test_a_job_that_ended_does_not_end_again(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        ended = await store.finish(job.id, 1, "succeeded")
        assert await store.finish(job.id, 1, "failed") is None
        assert await store.release(job.id, 1, reason=LOST) is None
        assert await store.add_output(job.id, 1, output("a")) is False
        assert await store.heartbeat(job.id, 1, lease=30) is None
        assert await store.cancel(job.id) == ended
        assert await store.get(job.id) == ended

    async def test_a_job_that_waits_is_not_ended_by_a_worker(self, store: JobStore) -> None:
        (job,) = await add(store, "")
        for attempt in (0, 1):
            assert await store.finish(job.id, attempt, "succeeded") is None
            assert await store.release(job.id, attempt, reason=LOST) is None
            assert await store.heartbeat(job.id, attempt, lease=30) is None

    @pytest.mark.parametrize("state", ["queued", "running", "canceling"])
    async def test_no_job_ends_in_a_state_that_is_no_end(self, store: JobStore, state: State) -> None:
        await add(store, "")
        job = await claim(store)
        with pytest.raises(ValueError, match="ends"):
            await store.finish(job.id, 1, state)
        assert await state_of(store, job) == "running"

    # Cancel

    async def test_a_waiting_job_is_canceled_at_once(self, store: JobStore) -> None:
        (job,) = await add(store, "")
        canceled = await store.cancel(job.id)
        assert canceled is not None
        assert (canceled.state, canceled.attempt) == ("canceled", 0)
        assert canceled.completed_at is not None
        assert await store.claim("w", lease=30) is None
        assert await store.cancel(job.id) == canceled

    async def test_a_running_job_is_canceled_by_its_worker(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        assert await store.heartbeat(job.id, 1, lease=30) == "running"
        canceling = await store.cancel(job.id)
        assert canceling is not None
        assert canceling.state == "canceling"
        assert await store.cancel(job.id) == canceling
        assert await store.heartbeat(job.id, 1, lease=30) == "canceling"
        assert await store.add_output(job.id, 1, output("a"))
        assert await store.finish(job.id, 1, "canceled") is not None
        assert await state_of(store, job) == "canceled"

    async def test_a_job_that_was_done_before_its_cancel_came_through_has_succeeded(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        await store.cancel(job.id)
        assert await store.finish(job.id, 1, "succeeded") is not None
        assert await state_of(store, job) == "succeeded"

    async def test_a_worker_cancels_nothing_that_nobody_asked_to_cancel(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        assert await store.finish(job.id, 1, "canceled") is None
        assert await state_of(store, job) == "running"

    # Workers that die

    async def test_a_released_job_waits_again_first_of_its_owner(self, store: JobStore) -> None:
        jobs = await add(store, *"aaa")
        first = await claim(store)
        second = await claim(store)
        await store.add_output(first.id, 1, output("a"))
        released = await store.release(first.id, 1, reason=LOST)
        assert released is not None
        assert (released.state, released.worker, released.started_at) == ("queued", None, None)
        assert released.outputs == ()
        assert "it died" in released.warnings[0]
        await store.release(second.id, 1, reason=LOST)
        assert [(await claim(store)).id for _ in range(3)] == [jobs[1].id, jobs[0].id, jobs[2].id]

    async def test_late_words_of_a_zombie_change_nothing(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        await store.release(job.id, 1, reason=LOST)
        again = await claim(store)
        assert again.attempt == 2
        assert await store.heartbeat(job.id, 1, lease=30) is None
        assert await store.add_output(job.id, 1, output("a")) is False
        assert await store.finish(job.id, 1, "succeeded") is None
        assert await store.release(job.id, 1, reason=LOST) is None
        assert await store.get(job.id) == again

    async def test_a_job_that_killed_three_workers_fails_with_that_reason(self, store: JobStore) -> None:
        (job,) = await add(store, "")
        for attempt in (1, 2, 3):
            assert (await claim(store)).attempt == attempt
            await store.release(job.id, attempt, reason=LOST)
        failed = await store.get(job.id)
        assert failed is not None
        assert (failed.state, failed.error) == ("failed", LOST)
        assert await store.claim("w", lease=30) is None

    async def test_an_attempt_that_does_not_count_is_none(self, store: JobStore) -> None:
        (job,) = await add(store, "")
        for _ in range(5):
            assert (await claim(store)).attempt == 1
            await store.add_output(job.id, 1, output("a"))
            back = await store.release(job.id, 1, reason=LOST, counted=False)
            assert back is not None
            assert (back.state, back.attempt, back.outputs, back.warnings) == ("queued", 0, (), ())
            assert await store.finish(job.id, 1, "succeeded") is None
        await claim(store)
        await store.cancel(job.id)
        canceled = await store.release(job.id, 1, reason=LOST, counted=False)
        assert canceled is not None
        assert canceled.state == "canceled"

    async def test_a_lease_that_is_over_releases_the_job(self, store: JobStore, place: Place) -> None:
        (job,) = await add(store, "")
        await claim(store, lease=30)
        place.hands.advance(29)
        assert await store.expire() == []
        assert await store.heartbeat(job.id, 1, lease=30) == "running"
        place.hands.advance(29)
        assert await store.expire() == []
        place.hands.advance(2)
        (changed,) = await store.expire()
        assert (changed.id, changed.state) == (job.id, "queued")
        assert await store.heartbeat(job.id, 1, lease=30) is None

    async def test_nobodys_lease_ends_because_somebody_sets_the_clock(self, store: JobStore, place: Place) -> None:
        (job,) = await add(store, "")
        await claim(store, lease=30)
        place.hands.jump(7200)
        assert await store.expire() == []
        place.hands.jump(-86400)
        assert await store.expire() == []
        place.hands.advance(31)
        assert [changed.id for changed in await store.expire()] == [job.id]

    async def test_after_a_restart_nothing_runs(self, store: JobStore, place: Place) -> None:
        runs, cancels, waits = await add(store, *"abc")
        await claim(store)
        await claim(store)
        await store.cancel(cancels.id)
        await store.close()
        again = await place.open()
        changed = {job.id: job.state for job in await again.recover()}
        assert changed == {runs.id: "queued", cancels.id: "canceled"}
        assert await again.recover() == []
        assert await again.expire() == []
        assert await state_of(again, waits) == "queued"
        await again.close()

    async def test_a_job_that_ended_three_processes_has_failed(self, place: Place) -> None:
        store = await place.open()
        (job,) = await add(store, "")
        for _ in range(3):
            await claim(store)
            await store.close()
            store = await place.open()
            await store.recover()
        failed = await store.get(job.id)
        assert failed is not None
        assert failed.state == "failed"
        assert failed.error is not None
        assert failed.error.code == "worker_lost"
        await store.close()

    async def test_a_claim_that_nobody_heard_of_is_taken_back(self, store: JobStore) -> None:
        (job,) = await add(store, "")
        claiming = asyncio.ensure_future(store.claim("w", lease=30))
        await asyncio.sleep(0)
        if not claiming.cancel():
            assert (await claiming or job).attempt == 1
            return
        with pytest.raises(asyncio.CancelledError):
            await claiming
        while (again := await store.claim("w", lease=30)) is None:
            await store.wait(10)
        assert (again.id, again.attempt) == (job.id, 1)

    # Deadlines

    async def test_a_job_past_its_deadline_is_never_started(self, store: JobStore, place: Place) -> None:
        (late,) = await add(store, "", timeout=10)
        (other,) = await add(store, "")
        place.hands.advance(10)
        assert (await claim(store)).id == other.id
        assert await store.claim("w", lease=30) is None
        (expired,) = await store.expire()
        assert (expired.id, expired.state) == (late.id, "expired")
        assert expired.error is not None
        assert await store.expire() == []

    async def test_an_owner_with_late_jobs_only_holds_up_nobody(self, store: JobStore, place: Place) -> None:
        await add(store, "a", "a", timeout=10)
        (other,) = await add(store, "b")
        place.hands.advance(10)
        assert (await claim(store)).id == other.id

    async def test_a_job_that_is_released_past_its_deadline_expires(self, store: JobStore, place: Place) -> None:
        await add(store, "", timeout=10)
        job = await claim(store)
        place.hands.advance(10)
        assert await store.heartbeat(job.id, 1, lease=30) == "running"
        released = await store.release(job.id, 1, reason=LOST)
        assert released is not None
        assert released.state == "expired"

    async def test_a_worker_may_say_that_its_job_expired(self, store: JobStore, place: Place) -> None:
        await add(store, "", timeout=10)
        job = await claim(store)
        assert await store.finish(job.id, 1, "expired") is not None
        assert await state_of(store, job) == "expired"

    @pytest.mark.parametrize("timeout", [1e300, 0.0])
    async def test_a_timeout_may_have_any_size(self, store: JobStore, timeout: float) -> None:
        (job,) = await add(store, "", timeout=timeout)
        assert (await store.claim("w", lease=30) is None) == (timeout == 0)
        assert await store.get(job.id) is not None

    # Waiting

    async def test_who_waits_is_woken_by_an_added_job(self, store: JobStore) -> None:
        assert await store.claim("w", lease=30) is None
        waiting = asyncio.ensure_future(store.wait(600))
        await asyncio.sleep(0)
        await add(store, "")
        await asyncio.wait_for(waiting, 60)
        await claim(store)

    async def test_a_job_that_came_between_claim_and_wait_is_not_slept_through(self, store: JobStore) -> None:
        assert await store.claim("w", lease=30) is None
        await add(store, "")
        await asyncio.wait_for(store.wait(600), 60)

    async def test_a_released_job_wakes_who_waits(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        assert await store.claim("w", lease=30) is None
        waiting = asyncio.ensure_future(store.wait(600))
        await asyncio.sleep(0)
        await store.release(job.id, 1, reason=LOST)
        await asyncio.wait_for(waiting, 60)

    async def test_who_waits_is_not_woken_by_what_was_claimed(self, store: JobStore) -> None:
        await add(store, "", "")
        await claim(store)
        await claim(store)
        assert await store.claim("w", lease=30) is None
        waiting = asyncio.ensure_future(store.wait(600))
        for _ in range(10):
            await store.counts()
        assert not waiting.done()
        waiting.cancel()

    async def test_a_wait_is_over_without_a_job(self, store: JobStore) -> None:
        assert await store.claim("w", lease=30) is None
        await store.wait(0.01)

    # Retention

    async def test_finished_jobs_leave_after_their_retention(self, place: Place) -> None:
        store = await place.open(retention=timedelta(hours=1))
        first, second, waits = await add(store, *"abc")
        await store.cancel(first.id)
        place.hands.advance(1800)
        await store.cancel(second.id)
        place.hands.advance(1800)
        (overdue,) = await store.finished(overdue=True)
        assert overdue.id == first.id
        assert await store.remove([overdue.id, waits.id]) == 1
        assert await store.get(first.id) is None
        assert await state_of(store, waits) == "queued"
        assert [job.id for job in await store.finished(overdue=True)] == []
        await store.close()

    async def test_the_oldest_finished_jobs_can_be_had_when_space_is_short(self, store: JobStore, place: Place) -> None:
        jobs = await add(store, *"abcd")
        for job in (jobs[2], jobs[0], jobs[1]):
            await store.cancel(job.id)
            place.hands.advance(1)
        assert [job.id for job in await store.finished(overdue=False, limit=2)] == [jobs[2].id, jobs[0].id]

    async def test_a_job_that_runs_is_not_removed(self, store: JobStore) -> None:
        await add(store, "")
        job = await claim(store)
        assert await store.remove([job.id]) == 0
        await store.cancel(job.id)
        assert await store.remove([job.id]) == 0
        assert await state_of(store, job) == "canceling"

    async def test_any_number_of_jobs_is_removed(self, store: JobStore) -> None:
        jobs = await store.add([request("a", metadata={"m": "1"})] * 450)
        for job in jobs[1:]:
            await store.cancel(job.id)
        assert await store.remove([job.id for job in jobs]) == 449
        assert (await store.counts()).states == {"queued": 1}
        assert [job.id for job in (await store.find(JobFilter(metadata={"m": "1"}))).jobs] == [jobs[0].id]

    # Webhooks

    async def test_a_webhook_is_due_until_it_was_told(self, store: JobStore, place: Place) -> None:
        hook = Webhook(url="https://example.org/")
        job, silent = await store.add([request(webhook=hook), request()])
        assert await store.untold() == []
        await store.cancel(job.id)
        await store.cancel(silent.id)
        await store.close()
        again = await place.open()
        assert [due.job for due in await again.untold()] == [job.id]
        await again.told(job.id)
        assert await again.untold() == []
        await again.close()

    async def test_tries_of_a_webhook_are_kept_until_it_was_told(self, store: JobStore, place: Place) -> None:
        hook = Webhook(url="https://example.org/")
        first, second = await store.add([request(webhook=hook)] * 2)
        tried = Delivery(second.id, 3, place.hands.now + timedelta(seconds=600))
        await store.tried(tried)  # nothing is due yet
        await store.cancel(first.id)
        await store.cancel(second.id)
        assert await store.untold() == [Delivery(first.id), Delivery(second.id)]
        await store.tried(tried)
        await store.close()
        again = await place.open()
        assert await again.untold() == [Delivery(first.id), tried]
        await again.told(second.id)
        await again.tried(tried)
        assert await again.untold() == [Delivery(first.id)]
        await again.close()

    async def test_a_webhook_that_waits_longer_is_after_the_others(self, store: JobStore, place: Place) -> None:
        """However many nobody takes, those that were never tried are told of."""
        jobs = await store.add([request(webhook=Webhook(url="https://example.org/"))] * 4)
        for job in jobs:
            await store.cancel(job.id)
        for job, pause in zip(jobs, (600, 60), strict=False):
            await store.tried(Delivery(job.id, 1, place.hands.now + timedelta(seconds=pause)))
        expected = [jobs[2].id, jobs[3].id, jobs[1].id, jobs[0].id]
        assert [due.job for due in await store.untold()] == expected
        assert [due.job for due in await store.untold(2)] == expected[:2]

    async def test_no_webhook_is_due_before_the_end(self, store: JobStore) -> None:
        hook = Webhook(url="https://example.org/", events=("running", "succeeded"))
        await store.add([request(webhook=hook)])
        await claim(store)
        assert await store.untold() == []

    async def test_a_webhook_is_due_for_its_states_alone(self, store: JobStore) -> None:
        hook = Webhook(url="https://example.org/", events=("succeeded",))
        canceled, succeeded = await store.add([request("a", webhook=hook), request("b", webhook=hook)])
        await store.cancel(canceled.id)
        await claim(store)
        await store.finish(succeeded.id, 1, "succeeded")
        assert [due.job for due in await store.untold()] == [succeeded.id]

    # Lists

    async def test_pages_show_every_job_once_newest_first(self, store: JobStore) -> None:
        jobs = await add(store, *[""] * 7)
        seen, cursor = [], None
        while True:
            page = await store.find(JobFilter(), limit=3, cursor=cursor)
            seen += page.jobs
            await add(store, "")  # newer jobs change nothing of the pages after
            if (cursor := page.cursor) is None:
                break
        assert [job.id for job in seen] == [job.id for job in reversed(jobs)]

    async def test_a_page_that_is_the_last_says_so(self, store: JobStore) -> None:
        await add(store, *[""] * 4)
        page = await store.find(JobFilter(), limit=2)
        assert page.cursor is not None
        assert (await store.find(JobFilter(), limit=2, cursor=page.cursor)).cursor is None
        assert (await store.find(JobFilter(), limit=4)).cursor is None
        assert (await store.find(JobFilter(owner="nobody"))).jobs == []

    @pytest.mark.parametrize("cursor", ["", "x", "-1", " 1", "1_0", "٣", "f" * 40, "'"])
    async def test_a_cursor_that_is_none_is_refused(self, store: JobStore, cursor: str) -> None:
        with pytest.raises(ValueError, match="cursor"):
            await store.find(JobFilter(), cursor=cursor)

    async def test_filters_let_through_what_they_say(self, store: JobStore) -> None:
        a = (await store.add([request("a", batch="1", metadata={"k": "v", "x": "y"})]))[0]
        b = (await store.add([request("b", batch="1", metadata={"k": "v"})]))[0]
        c = (await store.add([request("a", metadata={"k": "w"})]))[0]
        await store.cancel(c.id)

        async def found(**wanted: Any) -> list[str]:
            return [job.id for job in (await store.find(JobFilter(**wanted))).jobs]

        assert await found(owner="a") == [c.id, a.id]
        assert await found(batch="1") == [b.id, a.id]
        assert await found(metadata={"k": "v"}) == [b.id, a.id]
        assert await found(metadata={"k": "v", "x": "y"}) == [a.id]
        assert await found(states=frozenset(["queued"])) == [b.id, a.id]
        assert await found(states=frozenset(["queued", "canceled"])) == [c.id, b.id, a.id]
        assert await found(owner="a", states=frozenset(["canceled"]), metadata={"k": "w"}) == [c.id]
        assert await found(owner="b", batch="2") == []

    async def test_the_counts_are_of_the_states(self, store: JobStore, place: Place) -> None:
        assert (await store.counts()).states == {}
        assert (await store.counts()).oldest_wait == 0
        runs, _, canceled = await add(store, *"abc")
        place.hands.advance(5)
        assert (await claim(store)).id == runs.id
        await store.cancel(canceled.id)
        counts = await store.counts()
        assert counts.states == {"running": 1, "queued": 1, "canceled": 1}
        assert counts.oldest_wait == 5
