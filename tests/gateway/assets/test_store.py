import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.assets import model
from pycomfy.gateway.assets.blobs import NotAFile
from pycomfy.gateway.assets.model import (
    Asset,
    AssetInUse,
    BlobLost,
    BlobNotFound,
    HashMismatch,
    NewAsset,
    NoSpace,
    TooLarge,
    UnknownAsset,
)
from pycomfy.gateway.assets.store import AssetStore
from tests.support.small_disks import small_disk
from tests.support.sudden_ends import kill_before, list_steps

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


def in_store(
    folder: Path, use: Callable[[AssetStore], Awaitable[Any]], *, clock: Clock | None = None, quota: int | None = None
) -> Any:
    async def run() -> Any:
        async with AssetStore.open(folder, quota=quota, clock=clock or Clock()) as store:
            return await use(store)

    return asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "assets"


def files(folder: Path) -> dict[str, bytes]:
    """What lies below the folder, in whatever subfolder, but for the space that is kept free."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "reserve")
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def hash_of(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


async def upload(store: AssetStore, data: bytes, **about: Any) -> Asset:
    return (await store.receive([data], NewAsset(**about))).asset


async def read(store: AssetStore, asset: Asset) -> bytes:
    with await store.open_blob(asset) as f:
        return f.read()


# — in and out —


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (3 << 20) + 7])
def test_bytes_come_back_as_they_came(folder: Path, size: int) -> None:
    data = os.urandom(size)

    async def use(store: AssetStore) -> None:
        pieces = [data[i : i + 100_000] for i in range(0, size, 100_000)]
        received = await store.receive(pieces, NewAsset(owner="ann", content_type="image/png", file_path="a/p.png"))
        asset = received.asset
        assert received.created_new
        assert (asset.hash, asset.size) == (hash_of(data), size)
        assert await store.get(asset.id, owner="ann") == asset
        assert await read(store, asset) == data
        assert store.path(asset).read_bytes() == data

    in_store(folder, use)
    # And once more, after the process is gone.
    assert list(files(folder).values()) == [data]


def test_records_survive_a_restart(folder: Path) -> None:
    about = {"owner": "ann", "content_type": "text/plain; charset=UTF-8", "file_path": "n.txt", "tags": ("input", "x")}

    async def make(store: AssetStore) -> Asset:
        return await upload(store, b"hello", **about, expires_at=NOON + timedelta(hours=1))

    made = in_store(folder, make)
    assert made.tags == ("input", "x")
    assert made.content_type == "text/plain; charset=utf-8"
    assert in_store(folder, lambda store: store.get(made.id)) == made


def test_same_bytes_are_kept_once_and_nobody_learns_what_others_have(folder: Path) -> None:
    async def use(store: AssetStore) -> None:
        first = await store.receive([b"same"], NewAsset(owner="ann"))
        again = await store.receive([b"same"], NewAsset(owner="ann"))
        bob = await store.receive([b"same"], NewAsset(owner="bob"))
        assert [r.created_new for r in (first, again, bob)] == [True, False, True]
        assert len({r.asset.id for r in (first, again, bob)}) == 3
        assert (await store.usage()).bytes == 4
        with pytest.raises(UnknownAsset):
            await store.get(first.asset.id, owner="bob")
        with pytest.raises(UnknownAsset):
            await store.delete(first.asset.id, owner="bob")
        await store.delete(first.asset.id)
        await store.delete(again.asset.id)
        assert await read(store, bob.asset) == b"same"
        await store.delete(bob.asset.id)
        assert (await store.usage()).bytes == 0

    in_store(folder, use)
    assert files(folder) == {}


def test_two_uploads_of_the_same_bytes_at_once(folder: Path) -> None:
    data = os.urandom(2 << 20)

    async def use(store: AssetStore) -> None:
        both = await asyncio.gather(*(store.receive([data], NewAsset(owner="ann")) for _ in range(8)))
        assert sum(r.created_new for r in both) == 1
        for received in both[1:]:
            await store.delete(received.asset.id)
        assert await read(store, both[0].asset) == data

    in_store(folder, use)


def test_an_upload_is_refused_whole(folder: Path) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        raise ConnectionResetError

    async def use(store: AssetStore) -> None:
        big = [bytes(1 << 20)] * 3
        with pytest.raises(TooLarge):
            await store.receive(big, NewAsset(), limit=(3 << 20) - 1)
        await store.receive([b"x" * 5], NewAsset(), limit=5, expected_hash=hash_of(b"xxxxx").upper().replace("B", "b"))
        with pytest.raises(HashMismatch):
            await store.receive([b"y"], NewAsset(), expected_hash=hash_of(b"x"))
        with pytest.raises(ValueError, match="64 hexadecimal"):
            await store.receive([b"y"], NewAsset(), expected_hash="blake3:../../etc/passwd")
        with pytest.raises(ConnectionResetError):
            await store.receive(breaks(), NewAsset())

    in_store(folder, use)
    assert list(files(folder).values()) == [b"xxxxx"]


def test_an_upload_that_is_cancelled_leaves_nothing(folder: Path) -> None:
    async def use(store: AssetStore) -> None:
        came = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield bytes(1 << 20)
            came.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(store.receive(slow(), NewAsset()))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert files(folder) == {}
        # In the middle of a write.
        task = asyncio.create_task(store.receive([bytes(64 << 20)], NewAsset()))
        while not files(folder):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_store(folder, use)
    assert files(folder) == {}


# — results —


def test_a_result_stays_as_it_was_when_its_file_is_written_again(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "ComfyUI_00001_.png"
    data = os.urandom(3 << 20)
    picture.write_bytes(data)

    async def use(store: AssetStore) -> None:
        asset = await store.adopt(picture, NewAsset(job="j", file_path=picture.name))
        with picture.open("r+b") as f:  # as Pillow does: the same file, from its start
            f.truncate()
            f.write(b"another picture")
        assert await read(store, asset) == data
        assert (asset.hash, asset.content_type, asset.job) == (hash_of(data), "image/png", "j")
        picture.unlink()
        assert await read(store, asset) == data

    in_store(folder, use)


def test_an_empty_result_is_a_result(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "e.txt").touch()

    async def use(store: AssetStore) -> None:
        asset = await store.adopt(tmp_path / "e.txt", NewAsset(job="j"))
        assert (asset.size, asset.hash) == (0, hash_of(b""))

    in_store(folder, use)


def test_a_result_is_copied_where_the_kernel_cannot(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    (tmp_path / "r").write_bytes(b"r" * (3 << 20))

    async def use(store: AssetStore) -> None:
        assert await read(store, await store.adopt(tmp_path / "r", NewAsset(job="j"))) == b"r" * (3 << 20)

    in_store(folder, use)


@pytest.mark.parametrize("by_kernel", [True, False])
def test_the_copy_of_a_result_that_is_written_all_the_time_has_an_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_kernel: bool
) -> None:
    result, left, copy, read_some = tmp_path / "r", iter(range(100)), os.copy_file_range, os.read
    result.write_bytes(b"r" * 1000)

    def grow() -> None:
        next(left)  # ends the test where the copy does not
        with result.open("ab") as f:
            f.write(b"r" * 1000)

    def copy_some(source: int, target: int, count: int) -> int:
        if not by_kernel:
            raise OSError(18, "Invalid cross-device link")
        grow()
        return copy(source, target, count)

    def read_piece(source: int, count: int) -> bytes:
        if os.path.samestat(os.fstat(source), result.stat()):
            grow()
        return read_some(source, count)

    monkeypatch.setattr(os, "copy_file_range", copy_some)
    monkeypatch.setattr(os, "read", read_piece)

    async def use(store: AssetStore) -> None:
        kept = await read(store, await store.adopt(result, NewAsset(job="j")))
        assert kept == b"r" * len(kept)
        assert len(kept) >= 1000

    in_store(folder, use)


def test_a_small_result_that_has_become_large_does_not_keep_the_loop_waiting(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r").write_bytes(b"r" * (3 << 20))
    threads, copy = [], os.copy_file_range

    def note(source: int, target: int, count: int) -> int:
        threads.append(threading.current_thread())
        return copy(source, target, count)

    monkeypatch.setattr(AssetStore, "_is_small", lambda store, path: True)
    monkeypatch.setattr(os, "copy_file_range", note)

    async def use(store: AssetStore) -> None:
        assert await read(store, await store.adopt(tmp_path / "r", NewAsset(job="j"))) == b"r" * (3 << 20)

    in_store(folder, use)
    assert threads
    assert threading.main_thread() not in threads


def test_what_is_no_file_is_no_result(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")

    async def use(store: AssetStore) -> None:
        for path in (tmp_path / "pipe", tmp_path / "link", tmp_path, tmp_path / "none", Path("/dev/zero")):
            with pytest.raises(NotAFile):
                await store.adopt(path, NewAsset(job="j"))

    in_store(folder, use)
    assert files(folder) == {}


def test_blobs_are_read_only(folder: Path) -> None:
    async def use(store: AssetStore) -> None:
        asset = await upload(store, b"x")
        assert store.path(asset).stat().st_mode & 0o777 == 0o444

    in_store(folder, use)


# — by hash —


def test_only_owners_of_the_bytes_mint_from_a_hash(folder: Path) -> None:
    digest = hash_of(b"secret")

    async def use(store: AssetStore) -> None:
        ann = await upload(store, b"secret", owner="ann", file_path="s.txt")
        for owner in ("bob", ""):
            assert not await store.may_mint(digest, owner)
            with pytest.raises(BlobNotFound):
                await store.mint(digest, NewAsset(owner=owner))
        bob = await upload(store, b"secret", owner="bob")
        await store.delete(ann.id)
        # She had it, and the blob is still there.
        assert await store.may_mint(digest, "ann")
        minted = await store.mint(digest, NewAsset(owner="ann", file_path="again.txt"))
        assert (minted.created_new, minted.asset.size, minted.asset.content_type) == (True, 6, "text/plain")
        await store.delete(minted.asset.id)
        await store.delete(bob.id)
        # The blob is gone: who had it has it no more, even when somebody brings the same bytes.
        await upload(store, b"secret", owner="cyd")
        assert not await store.may_mint(digest, "ann")

    in_store(folder, use)


def test_an_equal_asset_is_minted_once_and_kept_longer_never_shorter(folder: Path) -> None:
    async def use(store: AssetStore) -> None:
        about: dict[str, Any] = {"owner": "ann", "file_path": "p.png"}
        first = await upload(store, b"x", **about, expires_at=NOON + timedelta(hours=2))
        longer = await store.mint(first.hash, NewAsset(**about, expires_at=NOON + timedelta(hours=3)))
        shorter = await store.mint(first.hash, NewAsset(**about, expires_at=NOON + timedelta(hours=1)))
        for minted in (longer, shorter):
            assert (minted.asset.id, minted.created_new) == (first.id, False)
            assert minted.asset.expires_at == NOON + timedelta(hours=3)
        other = await store.mint(first.hash, NewAsset(owner="ann", file_path="q.png"))
        assert (other.created_new, other.asset.expires_at) == (True, None)
        assert (await store.mint(first.hash, NewAsset(**about))).asset.expires_at is None

    in_store(folder, use)


# — holds, time and space —


def test_what_a_job_needs_is_not_deleted(folder: Path) -> None:
    clock = Clock()

    async def use(store: AssetStore) -> None:
        asset = await upload(store, b"x", owner="ann", expires_at=NOON + timedelta(minutes=1))
        store.hold("job", [asset.id.upper()])
        with pytest.raises(AssetInUse):
            await store.delete(asset.id)
        clock.time += timedelta(hours=1)
        assert await store.expire() == 0
        assert await store.free(1) == 0
        assert await read(store, await store.get(asset.id)) == b"x"
        store.release("job")
        with pytest.raises(UnknownAsset):
            await store.get(asset.id)
        assert await store.expire() == 1

    in_store(folder, use, clock=clock)
    assert files(folder) == {}


def test_space_comes_from_what_is_over_then_from_the_oldest_results(folder: Path, tmp_path: Path) -> None:
    clock = Clock()

    async def use(store: AssetStore) -> None:
        async def result(job: str, name: str) -> Asset:
            (tmp_path / name).write_bytes(name.encode() * 10)
            clock.time += timedelta(seconds=1)
            return await store.adopt(tmp_path / name, NewAsset(job=job, file_path=name))

        kept = await upload(store, b"u" * 10)
        old = await result("ended", "a")
        running = await result("running", "b")
        needed = await result("ended", "c")
        young = await result("ended", "d")
        over = await upload(store, b"o" * 10, expires_at=clock.time)
        store.hold("running", [needed.id])
        gone = []
        for _ in range(4):
            assert await store.free(10) in (10, 0)
            left = [a for a in (kept, old, running, needed, young, over) if await exists(store, a)]
            gone.append([a for a in (kept, old, running, needed, young, over) if a not in left])
        assert gone == [[over], [old, over], [old, young, over], [old, young, over]]
        assert await store.free(0) == 0

    in_store(folder, use, clock=clock)


async def exists(store: AssetStore, asset: Asset) -> bool:
    try:
        with await store.open_blob(asset):
            return True
    except BlobLost:
        return False


def test_many_results_are_freed(folder: Path, tmp_path: Path) -> None:
    async def use(store: AssetStore) -> None:
        for n in range(230):
            (tmp_path / "r").write_bytes(n.to_bytes(4))
            await store.adopt(tmp_path / "r", NewAsset(job="ended"))
        assert await store.free(1 << 30) == 230 * 4

    in_store(folder, use)


def test_an_upload_takes_no_result_of_another_owner(folder: Path, tmp_path: Path) -> None:
    async def use(store: AssetStore) -> None:
        (tmp_path / "r1").write_bytes(b"1" * 60)
        (tmp_path / "r2").write_bytes(b"2" * 30)
        first = await store.adopt(tmp_path / "r1", NewAsset("ann", job="ended"))
        await store.adopt(tmp_path / "r2", NewAsset("bob", job="ended"))
        with pytest.raises(NoSpace, match="quota"):
            await store.receive([b"u" * 50], NewAsset("bob"))
        assert await exists(store, first)
        await store.receive([b"v" * 41], NewAsset("ann"))
        assert not await exists(store, first)

    in_store(folder, use, quota=100)


def test_the_quota_refuses_uploads_and_never_a_result(folder: Path, tmp_path: Path) -> None:
    async def use(store: AssetStore) -> None:
        (tmp_path / "r1").write_bytes(b"1" * 60)
        (tmp_path / "r2").write_bytes(b"2" * 90)
        first = await store.adopt(tmp_path / "r1", NewAsset(job="ended"))
        store.hold("running")
        up = await upload(store, b"u" * 50)  # in place of the first result
        assert not await exists(store, first)
        with pytest.raises(NoSpace, match="quota"):
            await upload(store, b"v" * 51)
        assert await upload(store, b"u" * 50) != up  # costs nothing
        result = await store.adopt(tmp_path / "r2", NewAsset(job="running"))
        assert await read(store, result) == b"2" * 90
        assert (await store.usage()).bytes == 140
        assert (await store.usage()).quota == 100

    in_store(folder, use, quota=100)


def test_what_a_failed_attempt_made_is_discarded(folder: Path, tmp_path: Path) -> None:
    async def use(store: AssetStore) -> None:
        made = []
        for name in ("a", "b", "c"):
            (tmp_path / name).write_text(name)
            made.append(await store.adopt(tmp_path / name, NewAsset(job="j")))
        store.hold("other", [made[2].id])
        assert await store.discard("j", keep=[made[0].id]) == 1
        assert [await exists(store, a) for a in made] == [True, False, True]

    in_store(folder, use)


# — full disks —


def test_a_full_disk_is_its_own_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "result").write_bytes(os.urandom(3 << 20))

    async def use(store: AssetStore) -> None:
        await upload(store, b"first")
        before = files(store.path(await upload(store, b"x")).parents[2])
        for _ in range(2):
            with pytest.raises(NoSpace):
                await store.receive([os.urandom(3 << 20)], NewAsset())
            with pytest.raises(NoSpace):
                await store.adopt(tmp_path / "result", NewAsset(job="j"))
        assert files(store.path(await upload(store, b"x")).parents[2]) == before

    with small_disk(tmp_path / "disk", "size=2m") as disk:
        in_store(disk / "assets", use)


def test_expired_files_make_room_for_a_result(tmp_path: Path) -> None:
    (tmp_path / "result").write_bytes(os.urandom(1 << 20))
    clock = Clock()

    async def use(store: AssetStore) -> None:
        await upload(store, os.urandom(3 << 19), expires_at=NOON + timedelta(seconds=1))
        clock.time += timedelta(minutes=1)
        asset = await store.adopt(tmp_path / "result", NewAsset(job="j"))
        assert await read(store, asset) == (tmp_path / "result").read_bytes()

    with small_disk(tmp_path / "disk", "size=2m") as disk:
        in_store(disk / "assets", use, clock=clock)


def test_a_result_without_room_for_a_copy_is_moved_where_nobody_writes_it_any_more(tmp_path: Path) -> None:
    data = os.urandom(2 << 20)

    async def use(store: AssetStore) -> None:
        result = tmp_path / "disk" / "result"
        result.write_bytes(data)
        with pytest.raises(NoSpace):
            await store.adopt(result, NewAsset(job="j"))
        assert result.read_bytes() == data
        asset = await store.adopt(result, NewAsset(job="j"), move=True)
        assert await read(store, asset) == data and not result.exists()
        (tmp_path / "disk" / "small").write_bytes(b"small")
        await store.adopt(tmp_path / "disk" / "small", NewAsset(job="j"), move=True)
        assert (tmp_path / "disk" / "small").exists(), "there was room for a copy"

    with small_disk(tmp_path / "disk", "size=3m") as disk:
        in_store(disk / "assets", use)


def test_a_store_on_a_disk_filled_to_the_last_byte_opens_serves_and_frees(tmp_path: Path) -> None:
    async def fill(store: AssetStore) -> Asset:
        return await upload(store, os.urandom(1 << 20), expires_at=NOON + timedelta(days=1))

    async def use(store: AssetStore) -> None:
        assert len(await read(store, await store.get(asset.id))) == 1 << 20
        with pytest.raises(NoSpace):
            await upload(store, os.urandom(1 << 20))
        await store.delete(asset.id)
        await upload(store, os.urandom(1 << 19))

    with small_disk(tmp_path / "disk", "size=2m") as disk:
        asset = in_store(disk / "assets", fill)
        with contextlib.suppress(OSError), (disk / "filler").open("wb", 0) as f:
            while f.write(bytes(4096)):
                pass
        in_store(disk / "assets", use)


def test_results_in_great_number_are_removed_on_a_disk_filled_to_the_last_byte(tmp_path: Path) -> None:
    async def use(store: AssetStore) -> None:
        for n in range(3000):
            await store.receive([str(n).encode()], NewAsset(job="j"))
        with contextlib.suppress(OSError), (tmp_path / "disk" / "filler").open("wb", 0) as f:
            while f.write(bytes(4096)):
                pass
        assert await store.discard("j") == 3000
        assert (await store.usage()).blobs == 0

    with small_disk(tmp_path / "disk", "size=24m") as disk:
        in_store(disk / "assets", use)


# — sudden ends —


def check_whole(folder: Path, *, may_have: set[bytes]) -> None:
    """Every record has its whole blob, and nothing else lies there."""

    async def use(store: AssetStore) -> set[bytes]:
        usage = await store.usage()
        on_disk = files(folder)
        assert all(hash_of(data).endswith(Path(name).name) for name, data in on_disk.items())
        assert (usage.blobs, usage.bytes) == (len(on_disk), sum(map(len, on_disk.values())))
        assert usage.assets >= usage.blobs
        return set(on_disk.values())

    assert in_store(folder, use) <= may_have


def test_killed_at_any_step_it_has_whole_blobs_only(tmp_path: Path) -> None:
    old, new, result = os.urandom(1000), os.urandom((1 << 20) + 5), os.urandom(2000)
    (tmp_path / "result").write_bytes(result)
    base = tmp_path / "base"
    kept = in_store(base / "assets", lambda store: upload(store, old))

    async def change(store: AssetStore) -> None:
        await upload(store, new)
        await store.adopt(tmp_path / "result", NewAsset(job="j"))
        await store.delete(kept.id)

    def work() -> None:
        in_store(place / "assets", change)

    place = tmp_path / "steps"
    shutil.copytree(base, place)
    steps = list_steps(work)
    assert {"posix.replace", "posix.fsync", "posix.unlink"} <= set(steps)
    for step in range(len(steps)):
        place = tmp_path / f"killed-{step}"
        shutil.copytree(base, place)
        # Threads take turns as they like: a few steps may be missing at the end.
        with contextlib.suppress(AssertionError):
            kill_before(step, work)
        check_whole(place / "assets", may_have={old, new, result})


def test_a_result_that_came_to_the_disk_in_part_is_gone_after_the_next_start(folder: Path, tmp_path: Path) -> None:
    """A loss of power may leave a file of the right length and zeros in it."""
    (tmp_path / "r").write_bytes(b"result")
    program = f"""if True:
        import asyncio, os
        from pathlib import Path
        from pycomfy.gateway.assets.store import AssetStore
        from pycomfy.gateway.assets.model import NewAsset
        async def run():
            async with AssetStore.open(Path({str(folder)!r})) as store:
                await store.receive([b"upload"], NewAsset())
                asset = await store.adopt(Path({str(tmp_path / "r")!r}), NewAsset(job="j"))
                path = store.path(asset)
                path.chmod(0o644)
                path.write_bytes(bytes(6))
                os._exit(0)
        asyncio.run(run())
    """
    subprocess.run([sys.executable, "-c", program], check=True)
    check_whole(folder, may_have={b"upload"})


def test_bytes_that_somebody_deleted_are_an_error_of_their_own_and_can_be_brought_again(folder: Path) -> None:
    async def use(store: AssetStore) -> None:
        asset = await upload(store, b"x", owner="ann")
        store.path(asset).unlink()
        with pytest.raises(BlobLost):
            await store.open_blob(asset)
        with pytest.raises(BlobNotFound):
            await store.mint(asset.hash, NewAsset(owner="ann"))
        await upload(store, b"x", owner="bob")
        assert await read(store, asset) == b"x"

    in_store(folder, use)


# — names —


@pytest.mark.parametrize("asset", ["", "x", "../../etc/passwd", "\ud800", "a" * 10_000, "\0", "%", "' OR 1=1 --"])
def test_what_is_no_id_is_unknown(folder: Path, asset: str) -> None:
    async def use(store: AssetStore) -> None:
        with pytest.raises(UnknownAsset):
            await store.get(asset)
        with pytest.raises(UnknownAsset):
            await store.delete(asset)

    in_store(folder, use)


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("photo.png", "photo.png"),
        ("models/checkpoints/x.safetensors", "models/checkpoints/x.safetensors"),
        ("/etc/passwd", "etc/passwd"),
        ("../../../root/.ssh/id", "root/.ssh/id"),
        ("..\\..\\windows\\a.png", "windows/a.png"),
        ("a/./b//..//c.png", "a/b/c.png"),
        ("a\0b\x1b[31m\r\n.png", "a_b_[31m__.png"),
        ("\ud800.png", "_.png"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("...", None),
        ("  ", None),
        ("", None),
        (None, None),
        ("ü" * 300 + ".png", "ü" * 251 + ".png"),
        ("d/" * 200 + "p.png", "d/" * 125 + "p.png"),
    ],
)
def test_a_file_path_is_a_hint_only(given: str | None, cleaned: str | None) -> None:
    assert model.clean_file_path(given) == cleaned


@given(st.text(max_size=600))
def test_cleaned_names_are_clean(text: str) -> None:
    cleaned = model.clean_file_path(text)
    if cleaned is not None:
        assert model.clean_file_path(cleaned) == cleaned
        assert len(cleaned) <= model.MAX_PATH
        assert cleaned.isprintable()
        assert not cleaned.startswith("/")
        assert ".." not in cleaned.split("/")
        cleaned.encode()


@pytest.mark.parametrize(
    ("given", "name", "cleaned"),
    [
        ("image/png", None, "image/png"),
        ("IMAGE/PNG; q=1", None, "image/png"),
        ('text/html; charset="UTF-8"; x=y', None, "text/html; charset=utf-8"),
        ("image/png\r\nSet-Cookie: a=b", None, "application/octet-stream"),
        ("image/png\r\nSet-Cookie: a=b", "a.png", "image/png"),
        ("a" * 70 + "/b", None, "application/octet-stream"),
        ("../../x", None, "application/octet-stream"),
        ("", "a.webm", "video/webm"),
        (None, None, "application/octet-stream"),
    ],
)
def test_a_content_type_can_be_sent_as_a_header(given: str | None, name: str | None, cleaned: str) -> None:
    assert model.clean_content_type(given, name) == cleaned


@pytest.mark.parametrize(
    ("name", "content_type", "suffix"),
    [
        ("a/P.PNG", "application/octet-stream", ".png"),
        (None, "image/jpeg", ".jpg"),
        ("photo", "image/webp", ".webp"),
        ("photo.exe", "image/png", ".png"),
        ("x.safetensors", "application/octet-stream", ".safetensors"),
        ("x.pn g", "application/octet-stream", ""),
        ("x. [output]", "application/octet-stream", ""),
        (None, "application/octet-stream", ""),
        (None, "text/plain; charset=utf-8", ".txt"),
    ],
)
def test_the_suffix_is_one_that_loaders_know(name: str | None, content_type: str, suffix: str) -> None:
    assert model.find_suffix(name, content_type) == suffix


def test_sha256_is_not_taken_for_blake3() -> None:
    with pytest.raises(ValueError, match="blake3"):
        model.parse_hash("sha256:" + hashlib.sha256(b"").hexdigest())
