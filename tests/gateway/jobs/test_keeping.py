"""What a deployment and a job want besides the outputs: other formats, and a storage."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pycomfy.gateway.assets.model import Asset
from pycomfy.gateway.assets.storage import Storage, StorageFailed
from pycomfy.gateway.assets.store import AssetStore
from pycomfy.gateway.jobs.collecting import Kept
from pycomfy.gateway.jobs.keeping import AssetKeeper
from pycomfy.gateway.jobs.model import CONVERTED, Job, JobRequest
from pycomfy.gateway.jobs.outputs import Found
from pycomfy.gateway.project import Project

NOW = datetime(2026, 11, 27, tzinfo=UTC)


class Shelf:
    """A storage in memory, which refuses names with "no" in them."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}

    async def put(self, path: Path, asset: Asset, name: str) -> str:
        if "no" in name:
            raise StorageFailed("it does not take that")
        self.there[name] = path.read_bytes()
        return f"shelf:{name}"

    async def close(self) -> None:
        pass


def job(**options: Any) -> Job:
    return Job(id="j", request=JobRequest(graph={}, owner="ann", options=options), created_at=NOW, expires_at=NOW)


def on_keeper(
    folder: Path, use: Callable[[AssetKeeper, AssetStore], Awaitable[None]], storage: Storage | None = None
) -> None:
    async def run() -> None:
        async with AssetStore.open(folder / "assets") as store:
            project = Project()
            await use(AssetKeeper(store, project, Path(sys.executable), storage), store)

    asyncio.run(run())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "p_00001_.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path


def names(kept: Kept) -> list[tuple[str, str, str]]:
    return [(o.name, o.folder, o.content_type) for o in kept.outputs]


def test_an_image_comes_in_the_format_that_was_asked_for_besides_its_own(tmp_path: Path, picture: Path) -> None:
    async def use(keeper: AssetKeeper, store: AssetStore) -> None:
        found = Found("9", "images", picture.name, "sub", path=picture)
        kept = await keeper.keep(job(format="webp", quality=50), found)
        assert names(kept) == [
            (picture.name, "output", "image/png"),
            ("p_00001_.webp", CONVERTED, "image/webp"),
        ]
        original, made = kept.outputs
        bytes_of = [store.path(await store.get(o.asset, owner="ann")).read_bytes() for o in kept.outputs]
        assert bytes_of[0] == picture.read_bytes()
        assert Image.open(io.BytesIO(bytes_of[1])).format == "WEBP"
        assert (made.node, made.kind, made.subfolder, made.size) == ("9", "images", "sub", len(bytes_of[1]))
        assert kept.warnings == ()
        # Of a cached node, for a job that asks for another format.
        again = await keeper.keep_again(job(format="jpeg"), original)
        assert [name for name, *_ in names(again)] == [picture.name, "p_00001_.jpg"]
        assert {o.asset for o in again.outputs}.isdisjoint({original.asset, made.asset})

    on_keeper(tmp_path, use)


def test_only_images_of_another_format_are_converted(tmp_path: Path, picture: Path) -> None:
    async def use(keeper: AssetKeeper, store: AssetStore) -> None:
        assert len((await keeper.keep(job(), Found("9", "images", picture.name, path=picture))).outputs) == 1
        assert len((await keeper.keep(job(format="png"), Found("9", "images", "a.png", path=picture))).outputs) == 1
        assert len((await keeper.keep(job(format="png"), Found("9", "text", "t.txt", data=b"t"))).outputs) == 1

    on_keeper(tmp_path, use)


def test_an_image_that_cannot_be_converted_is_named_and_kept(tmp_path: Path) -> None:
    async def use(keeper: AssetKeeper, store: AssetStore) -> None:
        kept = await keeper.keep(job(format="webp"), Found("9", "images", "bad.png", data=b"no image"))
        assert names(kept) == [("bad.png", "output", "image/png")]
        (warning,) = kept.warnings
        assert warning.startswith("bad.png cannot be converted to webp: ")

    on_keeper(tmp_path, use)


def test_everything_is_put_into_the_storage_and_what_fails_is_kept_here(tmp_path: Path, picture: Path) -> None:
    shelf = Shelf()

    async def use(keeper: AssetKeeper, store: AssetStore) -> None:
        kept = await keeper.keep(job(format="webp"), Found("9", "images", picture.name, path=picture))
        assert [o.stored for o in kept.outputs] == [f"shelf:{picture.name}", "shelf:p_00001_.webp"]
        assert shelf.there[picture.name] == picture.read_bytes()
        again = await keeper.keep_again(job(), kept.outputs[0])
        assert again.outputs[0].stored == f"shelf:{picture.name}"
        refused = await keeper.keep(job(), Found("9", "text", "no.txt", data=b"text"))
        (output,) = refused.outputs
        assert output.stored is None
        assert refused.warnings == ("no.txt is not in the storage, and kept here only: it does not take that",)
        assert store.path(await store.get(output.asset)).read_bytes() == b"text"

    on_keeper(tmp_path, use, shelf)
