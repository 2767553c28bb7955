"""Events of jobs: who reads slowly, comes back or comes late misses nothing that counts."""

import asyncio
import itertools

import pytest

from pycomfy.gateway.jobs.hub import Event, Hub, HubLimits, Subscription
from pycomfy.gateway.jobs.model import Job, JobRequest
from tests.support.moments import NOW

pytestmark = pytest.mark.anyio


def drain(subscription: Subscription) -> list[Event]:
    """All that is there to read now."""
    events = []
    while (event := subscription._next()) is not None:
        events.append(event)
    return events


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def values(events: list[Event], name: str) -> list[int]:
    return [event.data["n"] for event in events if event.name == name]


@pytest.fixture
def hub() -> Hub:
    return Hub()


async def test_a_reader_gets_the_record_first_and_then_what_happens(hub: Hub) -> None:
    with hub.subscribe("a") as reader:
        hub.publish("a", "status", {"n": 1})
        hub.publish("b", "status", {"n": 2})
        hub.publish("a", "output", {"n": 3})
        events = drain(reader)
    assert names(events) == ["snapshot", "status", "output"]
    assert [event.id for event in events] == sorted(event.id for event in events)


async def test_a_new_reader_has_the_last_progress_and_preview_and_nothing_older(hub: Hub) -> None:
    hub.publish("a", "status", {"n": 1})
    for n in range(3):
        hub.publish("a", "progress", {"n": n})
        hub.publish("a", "preview", {"n": n})
    with hub.subscribe("a") as reader:
        events = drain(reader)
        assert names(events) == ["snapshot", "progress", "preview"]
        assert (values(events, "progress"), values(events, "preview")) == ([2], [2])
        hub.publish("a", "progress", {"n": 3})
        assert values(drain(reader), "progress") == [3]


async def test_a_slow_reader_gets_the_last_snapshots_and_every_status_and_output(hub: Hub) -> None:
    with hub.subscribe("a") as reader:
        drain(reader)
        for n in range(50):
            hub.publish("a", "progress", {"n": n})
            hub.publish("a", "preview", {"n": n})
            hub.publish("a", "output", {"n": n})
            hub.publish("a", "status", {"n": n}, slot="position")
        hub.publish("a", "status", {"n": 50}, final=True)
        events = drain(reader)
    assert (values(events, "progress"), values(events, "preview")) == ([49], [49])
    assert values(events, "output") == list(range(50))
    assert values(events, "status") == [49, 50]
    assert events[-1].data == {"n": 50}


async def test_a_quick_reader_gets_every_event(hub: Hub) -> None:
    seen: list[Event] = []
    with hub.subscribe("a") as reader:

        async def read() -> None:
            seen.extend([event async for event in reader])

        reading = asyncio.create_task(read())
        for n in range(20):
            await asyncio.sleep(0)
            hub.publish("a", "progress", {"n": n})
            while reader._woken is None:
                await asyncio.sleep(0)
        hub.publish("a", "status", {"n": 0}, final=True)
        await reading
    assert values(seen, "progress") == list(range(20))


async def test_the_stream_ends_after_the_final_status_and_what_comes_later_is_left_out(hub: Hub) -> None:
    with hub.subscribe("a") as reader:
        hub.publish("a", "status", {"n": 1}, final=True)
        hub.publish("a", "progress", {"n": 2})
        hub.publish("a", "status", {"n": 3}, final=True)
        assert names([event async for event in reader]) == ["snapshot", "status"]
        assert reader.ended
        assert await reader.read() is None


async def test_who_comes_back_gets_what_came_since(hub: Hub) -> None:
    hub.publish("a", "status", {"n": 1})
    hub.publish("a", "progress", {"n": 2})
    seen = hub.last_id
    hub.publish("a", "output", {"n": 3})
    hub.publish("a", "progress", {"n": 4})
    hub.publish("a", "status", {"n": 5}, final=True)
    with hub.subscribe("a", after=seen) as reader:
        events = [event async for event in reader]
    assert [(event.name, event.data["n"]) for event in events] == [("output", 3), ("progress", 4), ("status", 5)]


async def test_who_comes_back_after_any_event_misses_nothing_and_gets_no_output_twice(hub: Hub) -> None:
    hub.publish("b", "status", {"n": 0})
    for n in range(5):
        hub.publish("a", "progress", {"n": n})
        hub.publish("a", "preview", {"n": n})
        hub.publish("a", "output", {"n": n})
    with hub.subscribe("a") as reader:
        for n in range(5, 10):
            hub.publish("a", "output", {"n": n})
        whole = drain(reader)
    assert names(whole[:3]) == ["snapshot", "progress", "preview"]
    assert values(whole, "output") == list(range(5, 10))  # those before are in the record
    assert [event.id for event in whole] == sorted(event.id for event in whole)
    for number, last in enumerate(whole):
        with hub.subscribe("a", after=last.id) as reader:
            again = drain(reader)
        if number < 2:  # with the record, which has the outputs
            assert names(again) == ["snapshot", "progress", "preview"]
        else:
            assert [event.id for event in again] == [event.id for event in whole[number + 1 :]]


async def test_who_comes_back_to_a_job_of_which_nothing_is_known_gets_the_record(hub: Hub) -> None:
    """It may have ended long ago: nothing would ever happen."""
    with hub.subscribe("a") as reader:
        (record,) = drain(reader)
    with hub.subscribe("a", after=record.id) as reader:
        assert names(drain(reader)) == ["snapshot"]


async def test_who_has_read_the_end_gets_nothing_more(hub: Hub) -> None:
    hub.publish("a", "status", {"n": 1}, final=True)
    with hub.subscribe("a", after=hub.last_id) as reader:
        assert [event async for event in reader] == []


@pytest.mark.parametrize("after", [0, -5, 7, 1 << 80])
async def test_who_comes_with_an_id_that_is_not_known_gets_the_record(hub: Hub, after: int) -> None:
    hub.publish("a", "status", {"n": 1})
    with hub.subscribe("a", after=after) as reader:
        assert names(drain(reader)) == ["snapshot"]
        hub.publish("a", "output", {"n": 2})
        assert names(drain(reader)) == ["output"]


async def test_ids_rise_over_a_restart_and_the_record_stands_for_what_was_forgotten() -> None:
    clock = itertools.count(1_700_000_000)
    before = Hub(now=lambda: float(next(clock)))
    before.publish("a", "status", {"n": 1})
    after = Hub(now=lambda: float(next(clock)))
    with after.subscribe("a", after=before.last_id) as reader:
        after.publish("a", "status", {"n": 2})
        events = drain(reader)
    assert names(events) == ["snapshot", "status"]
    assert all(event.id > before.last_id for event in events)
    assert after.last_id < 1 << 53  # a number of JavaScript


async def test_after_a_restart_with_an_earlier_clock_nobody_waits_in_vain() -> None:
    before = Hub(now=lambda: 2_000.0)
    before.publish("a", "status", {"n": 1})
    after = Hub(now=lambda: 1_000.0)
    with after.subscribe("a", after=before.last_id) as reader:
        after.publish("a", "status", {"n": 2}, final=True)
        assert names([event async for event in reader]) == ["snapshot", "status"]


async def test_a_read_returns_without_an_event_after_its_time(hub: Hub) -> None:
    with hub.subscribe("a") as reader:
        drain(reader)
        assert await reader.read(timeout=0.01) is None
        assert not reader.ended
        hub.publish("a", "status", {"n": 1})
        event = await reader.read(timeout=60)
    assert event is not None
    assert event.name == "status"


async def test_a_reader_that_left_costs_nothing(hub: Hub) -> None:
    for n in range(100):
        with hub.subscribe(f"job-{n}"):
            pass
    with hub.subscribe("a") as reader:
        cancelled = asyncio.create_task(reader.read())
        drain(reader)
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        assert (hub.readers, list(hub.watched())) == (1, ["a"])
    assert (hub.readers, list(hub.watched()), hub.size) == (0, [], 0)
    assert len(hub._channels) == 0


async def test_who_waits_for_the_end_is_told_of_it_also_afterwards(hub: Hub) -> None:
    waiting = asyncio.create_task(hub.wait_for_end("a"))
    await asyncio.sleep(0)
    hub.publish("a", "progress", {"n": 1})
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.publish("a", "status", {"n": 1}, final=True)
    await asyncio.wait_for(waiting, 60)
    await asyncio.wait_for(hub.wait_for_end("a"), 60)


async def test_a_form_is_encoded_once_for_all_readers(hub: Hub) -> None:
    calls: list[int] = []

    def encode(event: Event) -> bytes:
        calls.append(event.id)
        return str(event.data["n"]).encode()

    readers = [hub.subscribe("a") for _ in range(5)]
    for reader in readers:
        drain(reader)
    hub.publish("a", "status", {"n": 7})
    assert [drain(reader)[0].encoded("v1", encode) for reader in readers] == [b"7"] * 5
    assert len(calls) == 1


async def test_a_snapshot_that_is_told_again_has_its_new_id_in_every_form(hub: Hub) -> None:
    def encode(event: Event) -> bytes:
        return b"%d" % event.id

    with hub.subscribe("a") as early:
        hub.publish("a", "progress", {"n": 1})
        hub.publish("a", "output", {"n": 2})
        with hub.subscribe("a") as late:
            for event in (*drain(early), *drain(late)):
                assert int(event.encoded("v1", encode)) == event.id


async def test_what_models_hold_counts_too(hub: Hub) -> None:
    small = Job(id="j", request=JobRequest(graph={}), created_at=NOW, expires_at=NOW, warnings=("x" * 10,))
    hub.publish("a", "output", {"job": small})
    before = hub.size
    hub.publish("b", "output", {"job": small.model_copy(update={"warnings": ("x" * 10_010,)})})
    assert hub.size - before >= before + 10_000


async def test_a_flood_of_outputs_is_bounded_and_a_reader_gets_the_record_for_what_is_gone() -> None:
    hub = Hub(HubLimits(events_of_job=10))
    with hub.subscribe("a") as reader:
        drain(reader)
        for n in range(100):
            hub.publish("a", "output", {"n": n})
        assert names(drain(reader)) == ["snapshot"]
        for n in range(5):
            hub.publish("a", "output", {"n": n})
        assert values(drain(reader), "output") == list(range(5))
    assert len(hub._channels["a"].log) == 10


async def test_large_events_are_bounded_by_their_bytes() -> None:
    hub = Hub(HubLimits(bytes=100_000, bytes_of_job=20_000))
    with hub.subscribe("a") as reader:
        for n in range(50):
            hub.publish("a", "output", {"n": n, "text": "x" * 1000})
            hub.publish("a", "preview", {"n": n, "image": "x" * 100_000})  # alone too large
            hub.publish(f"job-{n}", "preview", {"n": n, "image": "x" * 5000})
            assert hub.size <= 100_000
            assert hub.size == sum(channel.size for channel in hub._channels.values())
        hub.publish("a", "status", {"n": 1, "text": "x" * 10_000}, final=True)
        assert names(drain(reader)) == ["snapshot"]
        assert reader.ended
    with hub.subscribe("a", after=hub.last_id - 1) as reader:
        assert names(drain(reader)) == ["status"]  # the last one is kept, however large


async def test_ended_jobs_are_forgotten_first_and_a_reader_in_them_gets_the_record_and_the_end() -> None:
    hub = Hub(HubLimits(jobs=3))
    hub.publish("lives", "output", {"n": 0})
    seen = hub.last_id
    slow = hub.subscribe("ended")
    hub.publish("ended", "status", {"n": 1}, final=True)
    for n in range(3):
        hub.publish(f"job-{n}", "status", {"n": n}, final=True)
    with hub.subscribe("lives", after=seen) as reader:
        hub.publish("lives", "output", {"n": 1})
        assert names(drain(reader)) == ["output"]
    assert names([event async for event in slow]) == ["snapshot"]
    assert slow.ended
    assert len(hub._channels) <= 3
    slow.close()


async def test_events_of_few_ended_jobs_are_kept_for_who_comes_back_and_of_all_that_are_read() -> None:
    hub = Hub(HubLimits(ended=2))
    with hub.subscribe("read") as reader:
        hub.publish("read", "status", {"n": 1}, final=True)
        seen = {}
        for job in "abc":
            hub.publish(job, "status", {"n": 1})
            seen[job] = hub.last_id
            hub.publish(job, "status", {"n": 2}, final=True)
        assert values(drain(reader), "status") == [1], "nothing of what is read is lost"
    assert hub.latest("a") is None
    back = {}
    for job in "cba":
        with hub.subscribe(job, after=seen[job]) as reader:
            back[job] = drain(reader)
    assert values(back["c"], "status") == [2]
    assert names(back["a"]) == names(back["b"]) == ["snapshot"], "the record stands for what was forgotten"
    assert len(hub._channels) == 2


async def test_a_job_that_was_forgotten_while_it_is_read_goes_on() -> None:
    hub = Hub(HubLimits(jobs=2))
    with hub.subscribe("a") as reader:
        hub.publish("a", "output", {"n": 1})
        for n in range(5):
            hub.publish(f"job-{n}", "status", {"n": n})
        assert names(drain(reader)) == ["snapshot"]
        hub.publish("a", "status", {"n": 2}, final=True)
        assert names([event async for event in reader]) == ["status"]


async def test_two_hundred_readers_of_five_hundred_jobs_lose_nothing(hub: Hub) -> None:
    """Each reader reads at a pace of its own; each of them has every output and the end, in order."""
    jobs = [f"job-{n}" for n in range(500)]
    readers = {number: hub.subscribe(jobs[number * 7 % 500]) for number in range(200)}

    async def read(number: int) -> list[Event]:
        seen = []
        with readers[number] as reader:
            async for event in reader:
                seen.append(event)
                for _ in range(number % 4):
                    await asyncio.sleep(0)
        return seen

    async def run(job: str) -> None:
        for n in range(20):
            hub.publish(job, "progress", {"n": n})
            hub.publish(job, "output", {"n": n})
            await asyncio.sleep(0)
        hub.publish(job, "status", {"n": 20}, final=True)

    reading = [asyncio.create_task(read(number)) for number in readers]
    await asyncio.gather(*(run(job) for job in jobs))
    for seen in await asyncio.gather(*reading):
        assert values(seen, "output") == list(range(20))
        assert seen[-1].data == {"n": 20}
        assert [event.id for event in seen] == sorted(event.id for event in seen)
        assert values(seen, "progress") == sorted(values(seen, "progress"))
