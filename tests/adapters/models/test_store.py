import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models import hash_cache
from pycomfy.adapters.models.hash_cache import HashCache
from pycomfy.adapters.models.mount import make_view
from pycomfy.adapters.models.store import ModelStore
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.errors import BadInput, NotFound
from tests.support.model_hub import sha256
from tests.support.operations import listening


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ComfyUI" / "a.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"model")
    return path


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another disk, where no model can be linked to. A new file still gets its name in its own folder."""
    link = os.link

    def refuse(source: str | Path, target: Path, **options: Any) -> None:
        if not str(source).startswith("/proc/self/fd/"):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, target, **options)

    monkeypatch.setattr(os, "link", refuse)


def model(data: bytes = b"model", place: str = "checkpoints/sub/a.safetensors") -> ModelFile:
    folder, _, name = place.partition("/")
    return ModelFile(folder=folder, name=name, sha256=sha256(data), size=len(data))


def test_a_file_is_hashed_once_as_long_as_nobody_touches_it(file: Path, tmp_path: Path) -> None:
    with listening() as heard:
        cache = HashCache(tmp_path / "hash_cache.json")
        assert [cache.sha256(file) for _ in range(3)] == [sha256(b"model")] * 3
        assert HashCache(tmp_path / "hash_cache.json").sha256(file) == sha256(b"model")
    assert len(heard.begun) == 1
    about = file.stat()
    file.write_bytes(b"MODEL")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # mtime can be set back, ctime cannot
    assert cache.sha256(file) == sha256(b"MODEL")


def test_a_damaged_cache_costs_time_alone(file: Path, tmp_path: Path) -> None:
    for damage in ("", "{", "[]", '{"a": 1}', "\0"):
        (tmp_path / "hash_cache.json").write_text(damage)
        assert HashCache(tmp_path / "hash_cache.json").sha256(file) == sha256(b"model")


def test_an_added_file_is_linked_not_copied_and_not_hashed_again(file: Path, paths: Paths) -> None:
    store = ModelStore(paths)
    with listening() as heard:
        stored = store.add(file)
        assert stored.path.samefile(file) and not stored.linked and stored.size == 5
        make_view(store, [model()])
        store.add(file)
        assert store.find(sha256(b"model")) == stored.path
    assert heard.begun == ["Hash a.safetensors"]


def test_an_added_file_is_not_hashed_again_however_slow_the_disk_is(
    file: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(path: Path, text: str) -> None:
        write_file(path, text)
        time.sleep(0.02)  # more than a tick of the file system's clock

    monkeypatch.setattr(hash_cache, "write_file", slowly)
    with listening() as heard:
        ModelStore(paths).add(file)
        assert ModelStore(paths).find(sha256(b"model")) is not None
    assert heard.begun == ["Hash a.safetensors"]


def test_a_file_of_another_disk_is_pointed_at(file: Path, store: ModelStore, no_links: None) -> None:
    stored = store.add(file)
    assert stored.linked and stored.path.resolve() == file
    assert store.find(stored.sha256) == stored.path
    file.unlink()
    assert store.find(stored.sha256) is None and store.broken_links() == [stored.path]


def test_a_file_that_changed_is_no_longer_that_model(file: Path, store: ModelStore) -> None:
    stored = store.add(file)
    file.write_bytes(b"trained on")
    assert store.find(stored.sha256) is None and file.read_bytes() == b"trained on"
    assert store.add(file).sha256 == sha256(b"trained on")
    file.write_bytes(b"model")
    assert store.add(file).sha256 == stored.sha256


def test_what_is_no_file_is_not_added(tmp_path: Path, store: ModelStore) -> None:
    with pytest.raises(NotFound):
        store.add(tmp_path / "nope")
    for odd in (tmp_path, Path("/dev/zero"), Path("/proc/self/environ"), Path("/proc/kmsg")):
        with pytest.raises(BadInput):
            store.add(odd)


def test_names_are_kept_and_a_replaced_one_is_told(file: Path, store: ModelStore) -> None:
    first = store.add(file)
    assert store.set_name("loras/a", first) is None and store.set_name("loras/a", first) is None
    file.unlink()
    file.write_bytes(b"other")
    before = store.set_name("loras/a", store.add(file), "https://example.org/a")
    assert before is not None and before.sha256 == first.sha256
    assert store.list_added()["loras/a"].url == "https://example.org/a"


def test_a_view_has_every_model_where_comfyui_looks_without_a_copy(file: Path, store: ModelStore) -> None:
    store.add(file)
    view = make_view(store, [model(), model(place="unet/twin.safetensors")])
    for place in ("checkpoints/sub/a.safetensors", "unet/twin.safetensors"):
        assert (view.folder / place).samefile(file)
    assert view.files == {}
    inode = view.folder.stat().st_ino
    again = make_view(store, [model(place="unet/twin.safetensors"), model()])
    assert again.folder == view.folder and view.folder.stat().st_ino == inode
    assert make_view(store, [model()]).folder != view.folder


def test_a_view_that_was_tampered_with_is_made_anew(file: Path, store: ModelStore) -> None:
    store.add(file)
    view = make_view(store, [model()])
    place = view.folder / "checkpoints/sub/a.safetensors"
    place.unlink()
    place.write_bytes(b"evil!")
    assert (make_view(store, [model()]).folder / "checkpoints/sub/a.safetensors").samefile(file)


def test_what_cannot_be_linked_is_mounted_over_a_placeholder(file: Path, store: ModelStore, no_links: None) -> None:
    store.add(file)
    for _ in range(2):
        view = make_view(store, [model()])
        assert view.files == {"checkpoints/sub/a.safetensors": file}
        assert (view.folder / "checkpoints/sub/a.safetensors").read_bytes() == b""
