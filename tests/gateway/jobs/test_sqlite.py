"""The job store in SQLite keeps the contract."""

import asyncio
import contextlib
import itertools
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.jobs import sqlite_file
from pycomfy.gateway.jobs.model import Job
from pycomfy.gateway.jobs.sqlite import SqliteStore, StoreSettings
from pycomfy.gateway.jobs.sqlite_file import JobsFile
from pycomfy.gateway.jobs.store import QueueFull, StoreFull, StoreUnavailable
from tests.support.small_disks import small_disk

from .clocks import Hands
from .contract import JobStoreContract, output, request


@dataclass
class Folder:
    path: Path
    hands: Hands = field(default_factory=Hands)

    async def open(self, **settings: Any) -> SqliteStore:
        chosen = StoreSettings(**{"reserve": 64 << 10, **settings})
        return await SqliteStore.open(self.path / "jobs.db", chosen, self.hands.clock)


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestSqliteStore(JobStoreContract):
    pass


# Files that cannot be used


def break_header(path: Path) -> None:
    path.write_bytes(b"not a database" + path.read_bytes()[14:])


def break_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def make_foreign(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()


def make_newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("INSERT INTO migrations VALUES ('something newer')")
        file.commit()


@pytest.mark.anyio
@pytest.mark.parametrize("spoil", [break_header, break_pages, cut, make_foreign, make_newer])
async def test_a_file_that_cannot_be_used_is_set_aside_whole(place: Folder, spoil: Callable[[Path], None]) -> None:
    store = await place.open()
    await store.add([request()] * 50)
    await store.close()
    path = place.path / "jobs.db"
    spoil(path)
    spoiled = path.read_bytes()
    again = await place.open()
    assert again.set_aside is not None
    assert again.set_aside.read_bytes() == spoiled
    assert again.set_aside.parent == path.parent
    assert str(path) in (again.reason or "")
    assert (await again.counts()).states == {}
    (job,) = await again.add([request()])
    await again.close()
    third = await place.open()
    assert third.set_aside is None
    assert await third.get(job.id) == job
    await third.close()


@pytest.mark.anyio
async def test_files_set_aside_in_the_same_second_are_all_kept(place: Folder) -> None:
    names = set()
    for number in range(4):
        (place.path / "jobs.db").write_bytes(b"rubbish %d" % number)
        store = await place.open()
        assert store.set_aside is not None
        names.add((store.set_aside.name, store.set_aside.read_bytes()))
        await store.close()
    assert len(names) == 4
    assert all((place.path / name).read_bytes() == data for name, data in names)


@pytest.mark.anyio
async def test_a_file_from_a_gateway_that_was_killed_is_set_aside_with_its_log(place: Folder, tmp_path: Path) -> None:
    store = await place.open()
    await store.add([request()])
    killed = Folder(tmp_path / "copy")
    shutil.copytree(place.path, killed.path, ignore=shutil.ignore_patterns("copy"))
    await store.close()
    log = (killed.path / "jobs.db-wal").read_bytes()
    assert log
    (killed.path / "jobs.db-wal").write_bytes(log := b"\xff" * 32 + log[32:])  # else it puts the file right
    break_header(killed.path / "jobs.db")
    again = await killed.open()
    assert again.set_aside is not None
    assert again.set_aside.with_name(again.set_aside.name + "-wal").read_bytes() == log
    assert (await again.counts()).states == {}
    await again.close()


@pytest.mark.anyio
async def test_damage_that_shows_while_it_runs_is_found_by_the_next_start(
    place: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_SMALL", 0)  # as for a file that is too large to be checked whole
    store = await place.open()
    jobs = await store.add([request(inputs={"text": "x" * 5000})] * 50)
    for job in jobs:
        await store.cancel(job.id)
    await store.close()
    break_pages_of_requests(place.path / "jobs.db")
    store = await place.open()
    assert store.set_aside is None
    with pytest.raises(StoreUnavailable, match=r"jobs\.db is damaged"):
        for job in jobs:
            await store.get(job.id)
    await store.close()
    again = await place.open()
    assert again.set_aside is not None
    await again.close()
    third = await place.open()
    assert third.set_aside is None
    await third.close()


def break_pages_of_requests(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        (page,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'requests'").fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.anyio
async def test_an_empty_file_is_a_new_one(place: Folder) -> None:
    (place.path / "jobs.db").touch()
    store = await place.open()
    assert store.set_aside is None
    await store.add([request()])
    await store.close()


@pytest.mark.anyio
async def test_a_second_gateway_does_not_get_the_same_file(place: Folder) -> None:
    store = await place.open()
    (job,) = await store.add([request()])
    with pytest.raises(StoreUnavailable, match="in use"):
        await place.open()
    assert await store.get(job.id) == job
    await store.close()


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=str(tmp_path / "file")):
        await Folder(tmp_path / "file" / "data").open()


@pytest.mark.anyio
async def test_a_closed_store_says_so(place: Folder) -> None:
    store = await place.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.get("x")


@pytest.mark.anyio
async def test_what_was_asked_before_the_close_is_done(place: Folder) -> None:
    store = await place.open()
    adding = [asyncio.ensure_future(store.add([request()])) for _ in range(20)]
    await asyncio.sleep(0)
    await store.close()
    jobs = [(await added)[0] for added in adding]
    again = await place.open()
    assert (await again.counts()).states == {"queued": len(jobs)}
    await again.close()


@pytest.mark.anyio
@pytest.mark.parametrize("durable", ["all", "accepted", "none"])
async def test_a_store_does_the_same_whatever_waits_for_the_disk(place: Folder, durable: str) -> None:
    store = await place.open(durable=durable)
    jobs = [job for (job,) in await asyncio.gather(*(store.add([request()]) for _ in range(20)))]
    for _ in jobs:
        job = await store.claim("w", lease=30)
        assert job is not None
        await store.finish(job.id, 1, "succeeded")
    assert (await store.counts()).states == {"succeeded": 20}
    await store.close()


@pytest.mark.anyio
async def test_acceptance_waits_for_the_disk_and_a_start_does_not(
    place: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job runs while its acceptance is still on the way to a disk that hangs."""
    hangs, goes_on = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        hangs.set()
        assert goes_on.wait(60)
        real(descriptor)

    store = await place.open()
    monkeypatch.setattr(os, "fdatasync", slow)
    adding = asyncio.ensure_future(store.add([request()]))
    assert await asyncio.to_thread(hangs.wait, 60)
    job = await store.claim("w", lease=30)
    assert job is not None
    assert not adding.done()
    goes_on.set()
    assert [accepted.id for accepted in await adding] == [job.id]
    await store.close()


@pytest.mark.anyio
async def test_a_job_that_did_not_come_to_the_disk_is_not_called_accepted(
    place: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    store = await place.open()
    monkeypatch.setattr(os, "fdatasync", fail)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            await store.add([request()])
    await store.close()


@pytest.mark.anyio
async def test_what_was_answered_was_on_the_disk_before(place: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are copied whenever they are written to the disk: a loss of power may leave no more than the copy."""
    copy = Folder(place.path / "copy", place.hands)
    real = os.fdatasync

    def synced(descriptor: int) -> None:
        shutil.rmtree(copy.path, ignore_errors=True)
        shutil.copytree(place.path, copy.path, ignore=shutil.ignore_patterns("copy"))
        real(descriptor)

    async def left(job: str) -> Job | None:
        store = await copy.open(durable="none")
        try:
            return await store.get(job)
        finally:
            await store.close()

    store = await place.open()
    monkeypatch.setattr(os, "fdatasync", synced)
    for _ in range(3):
        (job,) = await store.add([request(idempotency_key=None)])
        assert await left(job.id) == job
        assert await store.claim("w", lease=30) is not None
        await store.add_output(job.id, 1, output("a"))
        assert [kept.asset for kept in (await left(job.id) or job).outputs] == ["a"]
        canceling = await store.cancel(job.id)
        assert await left(job.id) == canceling
        ended = await store.finish(job.id, 1, "canceled")
        assert await left(job.id) == ended
    await store.close()


@pytest.mark.anyio
async def test_the_log_is_brought_in_when_it_is_quiet(place: Folder) -> None:
    store = await place.open()
    jobs = [job for _ in range(30) for job in await store.add([request()])]
    file = place.path / "jobs.db"
    size = file.stat().st_size
    while file.stat().st_size == size:
        await asyncio.sleep(0.01)
    assert await store.get(jobs[-1].id) == jobs[-1]
    await store.add([request()])
    await store.close()


@pytest.mark.anyio
async def test_a_claim_that_was_cancelled_while_it_was_made_is_taken_back(place: Folder) -> None:
    store = await place.open()
    (job,) = await store.add([request()])
    begun, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        assert goes_on.wait(60)

    hanging = store._thread.submit(hang, quick=False)
    never = asyncio.ensure_future(store.add([request()]))
    taken = asyncio.ensure_future(store.claim("w", lease=30))
    assert await asyncio.to_thread(begun.wait, 60)
    for cancelled in (never, taken):
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    goes_on.set()
    await hanging
    while (again := await store.claim("w", lease=30)) is None:
        await store.wait(10)
    assert (again.id, again.attempt) == (job.id, 1)
    assert (await store.counts()).states == {"running": 1}
    await store.close()


@pytest.mark.anyio
async def test_the_event_loop_goes_on_while_the_store_is_busy(place: Folder) -> None:
    """What comes while the thread works waits for it, in order, and blocks nobody else."""
    store = await place.open()
    goes_on = threading.Event()
    hanging = store._thread.submit(lambda: goes_on.wait(60), quick=False)
    adding = [asyncio.ensure_future(store.add([request(str(n))])) for n in range(5)]
    counting = asyncio.ensure_future(store.counts())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(waiting.done() for waiting in (*adding, counting))
    goes_on.set()
    assert await hanging
    assert (await counting).states == {"queued": 5}
    await asyncio.gather(*adding)
    await store.close()


@pytest.mark.anyio
async def test_the_log_stays_small_under_constant_load(place: Folder) -> None:
    store = await place.open(durable="none", max_queued=10_000)
    for _ in range(40):
        await store.add([request(inputs={"text": "x" * 50_000})] * 20)
    assert (place.path / "jobs.db").stat().st_size > 20 << 20
    assert (place.path / "jobs.db-wal").stat().st_size < 12 << 20
    await store.close()


@pytest.mark.anyio
async def test_a_file_of_a_gateway_that_counted_no_bytes_has_them_counted(place: Folder) -> None:
    first = next(iter(sqlite_file.MIGRATIONS))
    old = place.path / "jobs.db"
    with contextlib.closing(sqlite3.connect(old)) as file:
        file.executescript(f"{sqlite_file.MIGRATIONS[first]} INSERT INTO migrations VALUES ('{first}');")
        asked = request(inputs={"text": "ä" * 500}).model_dump_json()
        job = '{"id":"a","state":"queued","created_at":"2026-11-27T00:00:00Z","expires_at":"2026-11-28T00:00:00Z"}'
        file.execute(
            "INSERT INTO jobs (seq, id, owner, affinity, state, attempt, place, created, record)"
            " VALUES (1, 'a', '', '', 'queued', 0, 1, 0.0, ?)",
            (job,),
        )
        file.execute("INSERT INTO requests VALUES (1, ?)", (asked,))
        file.commit()
    store = await place.open(max_queued_bytes=1500)
    assert store.set_aside is None
    with pytest.raises(QueueFull):
        await store.add([request(inputs={"text": "x" * 500})])
    claimed = await store.claim("w", lease=30)
    assert claimed is not None and claimed.id == "a"
    await store.add([request(inputs={"text": "x" * 500})])
    await store.close()


# Full disks


@pytest.mark.anyio
@pytest.mark.parametrize("size", ["8m", "12m", "20m"])
async def test_on_a_full_disk_accepted_jobs_end_and_no_other_is_accepted(tmp_path: Path, size: str) -> None:
    with small_disk(tmp_path / "disk", f"size={size}") as disk:
        place = Folder(disk)
        store = await place.open(max_queued=100_000, reserve=4 << 20)
        accepted = []
        with pytest.raises(StoreFull):
            while True:
                accepted += await store.add([request(inputs={"text": "x" * 20_000})] * 3)
        for _ in range(5):  # whether there is room now, after the log was brought in, or not
            with contextlib.suppress(StoreFull):
                accepted += await store.add([request(inputs={"text": "x" * 20_000})] * 3)
        assert (await store.counts()).states == {"queued": len(accepted)}
        assert len(accepted) % 3 == 0
        for _ in accepted[:10]:
            job = await store.claim("w", lease=30)
            assert job is not None
            assert await store.add_output(job.id, 1, output(job.id))
            assert await store.finish(job.id, 1, "succeeded") is not None
        with contextlib.suppress(StoreFull):  # room may have been made; it is used up again
            while True:
                accepted += await store.add([request(inputs={"text": "x" * 20_000})] * 3)
        while (job := await store.claim("w", lease=30)) is not None:
            assert await store.finish(job.id, 1, "succeeded") is not None
        await store.close()
        again = await place.open(max_queued=100_000, reserve=4 << 20)
        assert again.set_aside is None
        assert (await again.counts()).states == {"succeeded": len(accepted)}
        ended = [job.id for job in await again.finished(overdue=False, limit=100_000)]
        assert await again.remove(ended) == len(accepted)
        await again.expire()
        await again.close()


@pytest.mark.anyio
async def test_jobs_are_accepted_again_when_the_disk_has_space(tmp_path: Path) -> None:
    async def fill(store: SqliteStore) -> None:
        refused = 0
        while refused < 5:
            try:
                await store.add([request(inputs={"text": "x" * 20_000})])
            except StoreFull:
                refused += 1

    with small_disk(tmp_path / "disk", "size=16m") as disk:
        store = await Folder(disk).open(max_queued=100_000, reserve=4 << 20)
        other = disk / "other"
        other.write_bytes(b"x" * (6 << 20))
        await fill(store)
        while (job := await store.claim("w", lease=30)) is not None:
            await store.finish(job.id, 1, "succeeded")
        await fill(store)
        other.unlink()
        await store.add([request(inputs={"text": "x" * 20_000})])
        assert (disk / "jobs.db-reserve").stat().st_size == 4 << 20
        await store.close()


def fill_up(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "other").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.anyio
async def test_accepted_jobs_end_though_another_program_takes_the_reserve_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_room = JobsFile.make_room
    made = 0

    def make_room_for_another(file: JobsFile, part: Path) -> None:
        nonlocal made
        make_room(file, part)
        made += 1
        fill_up(file.path.parent)

    monkeypatch.setattr(JobsFile, "make_room", make_room_for_another)
    with small_disk(tmp_path / "disk", "size=16m") as disk:
        store = await Folder(disk).open(reserve=4 << 20)
        accepted = await store.add([request(inputs={"text": "x" * 20_000})] * 20)
        store._file.bring_in()
        fill_up(disk)
        for _ in accepted:
            job = await store.claim("w", lease=30)
            assert job is not None
            assert await store.finish(job.id, 1, "succeeded") is not None
        assert made
        await store.close()


@pytest.mark.anyio
async def test_a_job_with_many_outputs_ends_though_its_node_took_what_another_start_gave_up(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=16m") as disk:
        store = await Folder(disk).open(reserve=2 << 20)
        await store.add([request(inputs={"text": "x" * 20_000})] * 20)
        flood = await store.claim("w", lease=30)
        assert flood is not None
        store._file.bring_in()
        fill_up(disk)
        with pytest.raises(StoreFull):
            for number in itertools.count():
                assert await store.add_output(flood.id, 1, output(f"early-{number}"))
                fill_up(disk)
        fill_up(disk)
        made = [output(f"late-{number}") for number in range(1000)]
        assert await store.finish(flood.id, 1, "failed", outputs=made) is not None
        found = await store.get(flood.id)
        assert found is not None and len(found.outputs) == 1000
        await store.close()


@pytest.mark.anyio
async def test_jobs_expire_on_a_full_disk_where_the_store_could_give_space_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=16m") as disk:
        store = await Folder(disk).open(reserve=0)
        jobs = await store.add([request(inputs={"text": "x" * 20_000})] * 20)
        for job in jobs:
            await store.cancel(job.id)
        await store.remove([job.id for job in jobs])
        assert store._file.has_free_pages()
        fill_up(disk)
        assert await store.expire() == []
        (disk / "other").unlink()
        await store.expire()
        assert not store._file.has_free_pages()
        await store.close()


@pytest.mark.anyio
async def test_a_disk_without_space_for_an_empty_store_is_called_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        (disk / "other").write_bytes(b"x" * (60 << 10))
        with pytest.raises(StoreFull):
            await Folder(disk).open()


@pytest.mark.anyio
async def test_the_file_becomes_smaller_when_jobs_leave(place: Folder) -> None:
    store = await place.open()
    jobs = await store.add([request(inputs={"text": "x" * 20_000})] * 200)
    for job in jobs:
        await store.cancel(job.id)
    await store.close()
    before = (place.path / "jobs.db").stat().st_size
    again = await place.open()
    await again.remove([job.id for job in jobs])
    for _ in range(3):
        await again.expire()
    await again.close()
    assert (place.path / "jobs.db").stat().st_size < before / 4


def test_the_record_of_another_version_is_read_without_what_this_one_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"

    async def go() -> None:
        store = await SqliteStore.open(path)
        [job] = await store.add([request()])
        await store.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            for table in ("jobs", "requests"):
                column = {"jobs": "record", "requests": "request"}[table]
                assert db.execute(f"UPDATE {table} SET {column} = json_set({column}, '$.later', 1)").rowcount == 1
            db.commit()
        store = await SqliteStore.open(path)
        assert await store.get(job.id) == job
        await store.close()

    asyncio.run(go())
