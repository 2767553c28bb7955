import asyncio
import os
import tempfile
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.assets import model
from pycomfy.gateway.assets.model import Asset, BlobLost, NewAsset, NoSpace, UnknownAsset
from pycomfy.gateway.assets.store import AssetStore
from pycomfy.gateway.graph import assets
from pycomfy.gateway.graph.assets import (
    AssetProblem,
    Stager,
    check_references,
    find_references,
    replace_references,
    staged_name,
)
from tests.support.small_disks import small_disk

NOBODYS = "00000000-0000-4000-8000-000000000000"


def in_store(folder: Path, use: Callable[[AssetStore, Stager], Awaitable[Any]], *, inputs: Path | None = None) -> Any:
    async def run() -> Any:
        async with AssetStore.open(folder / "assets") as store:
            return await use(store, Stager(store, inputs or folder / "input"))

    return asyncio.run(run())


async def upload(store: AssetStore, data: bytes, **about: Any) -> Asset:
    return (await store.receive([data], NewAsset(**about))).asset


def ref(asset: Any, **info: Any) -> dict[str, Any]:
    return {"__type": "core/ASSET", "info": {"id": asset, **info}}


def load(value: Any) -> dict[str, Any]:
    return {"10": {"class_type": "LoadImage", "inputs": {"image": value, "n": 1, "link": ["4", 0]}}}


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_references_are_found_at_any_depth_of_an_input() -> None:
    graph = {
        "1": {"class_type": "A", "inputs": {"x": ref(NOBODYS), "y": [[{"deep": ref(NOBODYS.upper())}], "text"]}},
        "2": {"class_type": "B", "inputs": {"z": {"__type": "core/OTHER", "info": {"id": NOBODYS}}}},
        "3": {"class_type": "B", "_meta": {"title": ref(NOBODYS)}},
        "4": "no node",
    }
    assert [(r.node, r.input, r.id) for r in find_references(graph)] == [("1", "x", NOBODYS), ("1", "y", NOBODYS)]


def test_what_is_wrong_is_told_with_node_and_input(tmp_path: Path) -> None:
    async def use(store: AssetStore, _: Stager) -> None:
        mine = await upload(store, b"a", owner="ann")
        his = await upload(store, b"b", owner="bob")
        bad: list[Any] = [
            {"__type": "core/ASSET"},
            {"__type": "core/ASSET", "info": mine.id},
            {"__type": "core/ASSET", "info": {"hash": mine.hash}},
            *(ref(value) for value in (None, 7, "", "../../etc/passwd", [mine.id])),
        ]
        graph = {
            "1": {"inputs": {"image": ref(mine.id, hash="blake3:other", file_path="/etc/passwd")}},
            "2": {"inputs": {"image": ref(his.id), "mask": [ref(NOBODYS)]}},
            "3": {"inputs": {f"x{n}": value for n, value in enumerate(bad)}},
        }
        assert await check_references(graph, store, "ann") == [
            AssetProblem("2", "image", "there is no such asset", his.id),
            AssetProblem("2", "mask", "there is no such asset", NOBODYS),
            *(AssetProblem("3", f"x{n}", "malformed asset reference: info is no object") for n in (0, 1)),
            *(AssetProblem("3", f"x{n}", "malformed asset reference: info.id is no UUID") for n in range(2, 8)),
        ]

    in_store(tmp_path, use)


def test_bytes_are_staged_as_they_are_and_taken_away_afterwards(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)

    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, data, file_path="My photo (1).PNG")
        graph = load(ref(asset.id, file_path="x/other.jpg"))
        staged = await stager.stage("job", graph)
        name = staged["10"]["inputs"]["image"]
        assert name == f"pycomfy-{asset.hash[7:39]}-My_photo_1.png"
        assert (tmp_path / "input" / name).read_bytes() == data
        assert staged == load(name)
        assert graph == load(ref(asset.id, file_path="x/other.jpg"))
        # The same bytes have the same name and time in the next job: ComfyUI's cache holds.
        time = (tmp_path / "input" / name).stat().st_mtime_ns
        await stager.unstage("job")
        assert names(tmp_path / "input") == []
        assert await stager.stage("next", graph) == staged
        assert (tmp_path / "input" / name).stat().st_mtime_ns == time

    in_store(tmp_path, use)


def test_a_file_stays_until_the_last_job_that_needs_it(tmp_path: Path) -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, b"x", file_path="a.png")
        one, two = await asyncio.gather(*(stager.stage(job, load(ref(asset.id))) for job in ("one", "two")))
        assert one == two
        await stager.unstage("one")
        await stager.unstage("one")
        await stager.unstage("never")
        assert names(tmp_path / "input") == [one["10"]["inputs"]["image"]]
        await stager.unstage("two")
        assert names(tmp_path / "input") == []

    in_store(tmp_path, use)


def test_a_node_that_writes_to_its_input_changes_no_asset(tmp_path: Path) -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, b"original")
        staged = await stager.stage("job", load(ref(asset.id)))
        path = tmp_path / "input" / staged["10"]["inputs"]["image"]
        try:
            path.write_bytes(b"changed!")
        except PermissionError:
            assert os.geteuid() != 0
        assert store.path(asset).read_bytes() == b"original"
        await stager.unstage("job")
        await stager.stage("next", load(ref(asset.id)))
        assert path.read_bytes() == b"original"

    in_store(tmp_path, use)


def test_without_roots_rights_an_input_is_a_link_that_no_node_can_write_to() -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, b"original")
        staged = await stager.stage("job", load(ref(asset.id)))
        path = folder / "input" / staged["10"]["inputs"]["image"]
        assert path.samefile(store.path(asset))
        with pytest.raises(PermissionError):
            path.write_bytes(b"changed!")

    # Not below pytest's folders, which are root's own.
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if os.geteuid() != 0:
            in_store(folder, use)
            return
        os.chown(folder, 65534, 65534)
        pid = os.fork()
        if pid == 0:
            try:
                os.setresuid(65534, 65534, 65534)
                in_store(folder, use)
                os._exit(0)
            except BaseException:  # noqa: BLE001  (nothing of pytest may run in the fork)
                traceback.print_exc()
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0


def test_a_file_that_a_node_moved_away_is_staged_again_for_the_next(tmp_path: Path) -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, b"x")
        first = await stager.stage("one", load(ref(asset.id)))
        path = tmp_path / "input" / first["10"]["inputs"]["image"]
        path.rename(tmp_path / "moved")
        await stager.stage("two", load(ref(asset.id)))
        assert path.read_bytes() == b"x"
        path.unlink()
        path.mkdir()
        await stager.unstage("one")
        await stager.unstage("two")

    in_store(tmp_path, use)


@pytest.mark.parametrize(
    ("file_path", "content_type", "name"),
    [
        ("../../../etc/cron.d/x.png", None, "pycomfy-{}-x.png"),
        ("a.png [output]", "image/png", "pycomfy-{}-a.png"),
        ("-rf.png", None, "pycomfy-{}-rf.png"),
        ("\u202e.png\0.exe", None, "pycomfy-{}-png.exe"),
        ("日本.webp", None, "pycomfy-{}.webp"),
        ("x" * 300 + ".mp4", None, "pycomfy-{}-" + "x" * 40 + ".mp4"),
        ("noextension", "audio/flac", "pycomfy-{}-noextension.flac"),
        (None, "text/html", "pycomfy-{}"),
        ("mesh.glb", None, "3d/pycomfy-{}-mesh.glb"),
        ("a/..", "image/png", "pycomfy-{}-a.png"),
    ],
)
def test_names_from_outside_are_no_paths(
    tmp_path: Path, file_path: str | None, content_type: str | None, name: str
) -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, b"x", file_path=file_path, content_type=content_type)
        staged = await stager.stage("job", load(ref(asset.id)))
        expected = name.format(asset.hash[7:39])
        assert staged["10"]["inputs"]["image"] == expected == staged_name(asset)
        assert names(tmp_path / "input") == [expected]
        await stager.unstage("job")
        assert names(tmp_path / "input") == []

    in_store(tmp_path, use)


@given(st.text(max_size=300), st.text(max_size=40))
def test_every_staged_name_is_one_file_that_is_cleaned(file_path: str, content_type: str) -> None:
    cleaned = model.clean_file_path(file_path)
    kind = model.clean_content_type(content_type, cleaned)
    now = datetime.now(UTC)
    asset = Asset("i", f"blake3:{'0' * 64}", 1, "", kind, cleaned, (), None, now, None)
    name = staged_name(asset)
    assert len(name) < 120
    assert assets._STAGED.fullmatch(name.removeprefix("3d/"))


def test_a_stage_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        good = await upload(store, b"x")
        lost = await upload(store, b"lost")
        store.path(lost).unlink()
        his = await upload(store, b"his", owner="bob")
        for value, error in (
            (NOBODYS, UnknownAsset),
            (lost.id, BlobLost),
            ("no id", ValueError),
            (his.id, UnknownAsset),
        ):
            with pytest.raises(error):
                await stager.stage("job", load([ref(good.id), ref(value)]), owner="")
            assert names(tmp_path / "input") == []

    in_store(tmp_path, use)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    async def use(store: AssetStore, stager: Stager) -> None:
        asset = await upload(store, os.urandom(3 << 20))
        with pytest.raises(NoSpace):
            await stager.stage("job", load(ref(asset.id)))
        assert names(tmp_path / "disk") == []

    with small_disk(tmp_path / "disk", "size=1m") as disk:
        in_store(tmp_path, use, inputs=disk / "input")


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    async def leave(store: AssetStore, stager: Stager) -> None:
        for path in ("a.png", "b", "c.glb"):
            asset = await upload(store, b"x", file_path=path)
            await stager.stage("job", load(ref(asset.id)))
        for other in ("pycomfy-mine.png", "pycomfy.png", f"pycomfy-{'0' * 31}.png"):
            (tmp_path / "input" / other).write_bytes(b"user's")
        (tmp_path / "input" / f"pycomfy-{'0' * 32}-x.png.new").write_bytes(b"half")

    async def clean(_: AssetStore, stager: Stager) -> None:
        assert stager.clean() == 4
        assert names(tmp_path / "input") == sorted(
            ("pycomfy-mine.png", "pycomfy.png", f"pycomfy-{'0' * 31}.png"),
        )

    in_store(tmp_path, leave)
    in_store(tmp_path, clean)


def test_references_are_replaced_in_inputs_only() -> None:
    graph = {**load([ref(NOBODYS), "x"]), "note": "text", "5": {"_meta": ref("x")}}
    assert replace_references(graph, str.upper) == {
        **load([NOBODYS.upper(), "x"]),
        "note": "text",
        "5": {"_meta": ref("x")},
    }


def test_an_input_may_be_as_deep_as_json_can_be() -> None:
    deep: Any = ref(NOBODYS)
    for _ in range(5000):
        deep = [deep]
    replaced = replace_references(load(deep), str.upper)["10"]["inputs"]["image"]
    assert len(find_references(load(deep))) == 1
    for _ in range(5000):
        (replaced,) = replaced
    assert replaced == NOBODYS.upper()
