import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers import image_store
from pycomfy.adapters.containers.arguments import plan_limits
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.image_store import NotLinkable, find_folder, link_image, unlink_image
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.containers.load import find_loaded, forget, provide, write_archive
from pycomfy.adapters.io import process
from pycomfy.adapters.io.temp_dirs import remove_folder
from pycomfy.adapters.nix import image_tar
from pycomfy.errors import BadConfig, BadInput
from tests.support.tiny_image import change_manifest, write_layout

TAG = "localhost/pycomfy/pycomfy-test:latest"


@pytest.fixture
def image(tmp_path: Path) -> LayoutImage:
    return read_layout(write_layout(tmp_path / "layout", linked=True))


@pytest.fixture
def podman(engine: Engine) -> Engine:
    if not engine.links_images:
        pytest.skip("needs Podman with overlay")
    return engine


@pytest.fixture(autouse=True)
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stores of this test alone."""
    folder = Path(f"/tmp/pycomfy-{os.getpid()}")
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(image_store, "find_folder", lambda: folder)
    yield folder
    remove_folder(folder)


def run(engine: Engine, image: StartableImage, script: str) -> str:
    command = engine.command("run", "--rm", "--network=none", *plan_limits(engine), image.id, script, store=image.store)
    done = process.run(command)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def number_of_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_an_image_starts_from_links_and_the_engine_has_loaded_nothing(podman: Engine, image: LayoutImage) -> None:
    started = provide(podman, image, "pycomfy-test")
    assert started.store is not None and image.config_digest == f"sha256:{started.id}"
    assert run(podman, started, "echo hello") == "hello\n"
    assert find_loaded(podman, image) is None


def test_the_store_has_the_image_under_its_name_and_size(podman: Engine, image: LayoutImage) -> None:
    store = link_image(image, TAG)
    command = podman.command("image", "inspect", "localhost/pycomfy/pycomfy-test", store=store)
    (found,) = json.loads(process.run(command).stdout)
    assert (f"sha256:{found['Id']}", found["Digest"]) == (image.config_digest, image.manifest_digest)
    assert found["RootFS"]["Layers"] == list(image.diff_ids) and found["RepoTags"] == [TAG]


def test_a_layers_files_are_not_copied(image: LayoutImage) -> None:
    store, layer = link_image(image, TAG), image.layer(image.layers[0])
    assert number_of_bytes(store) < 10_000 < number_of_bytes(layer)
    files = store / "overlay" / image.layers[0].removeprefix("sha256:") / "diff"
    assert files.is_symlink() and files.samefile(layer / "diff")


def test_folders_have_the_owners_and_modes_that_a_store_path_cannot_keep(podman: Engine, image: LayoutImage) -> None:
    # With the image's own folders, as where nothing is mounted.
    script = "cd /data && echo x > y && cd /tmp && echo x > y && echo written"
    assert run(podman, provide(podman, image, "pycomfy-test"), script) == "written\n"


def test_the_same_image_has_one_store_and_another_name_another(image: LayoutImage, stores: Path) -> None:
    assert link_image(image, TAG) == link_image(image, TAG) != link_image(image, "localhost/other:latest")
    unlink_image(image, TAG)
    assert len(list(stores.iterdir())) == 1


def test_a_store_whose_image_is_gone_is_removed_with_the_next(tmp_path: Path, image: LayoutImage, stores: Path) -> None:
    dead = link_image(image, TAG)
    image.layer(image.layers[0]).rename(tmp_path / "away")
    other = link_image(read_layout(write_layout(tmp_path / "other")), TAG)
    assert list(stores.iterdir()) == [other] != [dead]


def test_the_paths_of_seventy_layers_have_room_on_the_kernels_page(podman: Engine, tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l", more_layers=68))
    assert len(image.layers) == 70
    assert run(podman, provide(podman, image, "pycomfy-test"), "echo hello") == "hello\n"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_image_may_have_the_same_layer_twice(podman: Engine, tmp_path: Path, at: int) -> None:
    """Such as two that are empty. The kernel refuses the same folder twice."""
    layout = write_layout(tmp_path / "l")

    def repeat(layers: list[Any]) -> None:
        layers.insert(at, layers[0])

    change_manifest(layout, lambda manifest: repeat(manifest["layers"]), lambda c: repeat(c["rootfs"]["diff_ids"]))
    assert run(podman, provide(podman, read_layout(layout), "pycomfy-test"), "echo hello") == "hello\n"


def test_an_image_of_too_many_layers_is_loaded_instead(podman: Engine, tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l", more_layers=110))
    with pytest.raises(NotLinkable):
        link_image(image, TAG)
    started = provide(podman, image, "pycomfy-test")
    try:
        assert started.store is None and run(podman, started, "echo hello") == "hello\n"
    finally:
        forget(podman, image, "pycomfy-test")


@pytest.mark.parametrize(
    "exceptions",
    [
        "x",
        {"data": "x"},
        {"data": [1]},
        {"data": ["a", "b", "c"]},
        [1],
        {"data": [1 << 70, 0, 0]},
        {"data": [0o755, -2, 0]},
        {"data": [0o755, 0, 1 << 32]},
    ],
)
def test_owners_that_are_none_are_bad_input(tmp_path: Path, exceptions: object) -> None:
    image = read_layout(write_layout(tmp_path / "l"))
    about = image.layer(image.layers[1]) / "layer.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "exceptions": exceptions}))
    with pytest.raises(BadInput, match="cannot be read"):
        link_image(image, TAG)


@pytest.mark.parametrize("name", [".wh.sh", ".wh..wh..opq"])
def test_a_file_that_takes_others_away_in_a_tar_alone_is_refused(tmp_path: Path, name: str) -> None:
    image = read_layout(write_layout(tmp_path / "l"))
    layer = image.layer(image.layers[0])
    (layer / "diff" / "bin" / name).touch()
    uses: list[Callable[[], object]] = [
        lambda: link_image(image, TAG),
        lambda: write_archive(image, TAG, io.BytesIO()),
        lambda: image_tar.check_layer(layer, image.layers[0]),
    ]
    for use in uses:
        with pytest.raises(BadInput, match=f"bin/{name} would hide files"):
            use()


def test_a_layer_says_no_more_of_itself_than_memory_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = read_layout(write_layout(tmp_path / "l"))
    monkeypatch.setattr(image_tar, "MAX_ABOUT", 10)
    for use in (lambda: link_image(image, TAG), lambda: image_tar.check_layer(image.layer(image.layers[0]), "x")):
        with pytest.raises(BadInput, match=r"layer\.json is too long"):
            use()


def test_a_large_layer_with_owners_of_its_own_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "MAX_COPIED", 10)
    image = read_layout(write_layout(tmp_path / "l"))
    about = image.layer(image.layers[0]) / "layer.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "exceptions": {"script": [0o755, 5, 5]}}))
    with pytest.raises(NotLinkable):
        link_image(image, TAG)


def test_the_folder_of_stores_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's root could leave a program there that runs as root outside."""
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(BadConfig, match="not a folder that is yours alone"):
        find_folder()  # it belongs to root
    monkeypatch.undo()
    assert stat.S_IMODE(find_folder().stat().st_mode) == 0o700
