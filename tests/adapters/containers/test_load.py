import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from pycomfy.adapters.containers import load as load_module
from pycomfy.adapters.containers.engine import Engine, describe_podman
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.containers.load import find_loaded, forget, image_tag, load, provide, write_archive
from pycomfy.adapters.io import process
from pycomfy.errors import BadInput, NoSpace
from tests.support.tiny_image import change_manifest, write_layout
from tests.support.waiting import wait_until


def test_the_archive_for_engines_has_every_blob_and_both_indexes(tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l", linked=True))
    out = io.BytesIO()
    write_archive(image, "localhost/pycomfy/x:latest", out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        members = {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar if m.isfile()}
    (old,) = json.loads(members["manifest.json"])
    (new,) = json.loads(members["index.json"])["manifests"]
    assert old["RepoTags"] == ["localhost/pycomfy/x:latest"]
    assert {old["Config"], *old["Layers"]} <= set(members)
    assert new["digest"] == image.manifest_digest
    blobs = {name: data for name, data in members.items() if name.startswith("blobs/")}
    assert all(name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}" for name, data in blobs.items())


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_an_image_whose_files_are_not_as_they_were_is_not_written(tmp_path: Path, damage: str) -> None:
    image = read_layout(write_layout(tmp_path / "l"))
    script = image.layer(image.layers[0]) / "diff" / "script"
    if damage == "gone":
        script.unlink()
    else:
        script.chmod(0o644)
        script.write_text("exit 1")
    with pytest.raises(BadInput, match="cannot be read"):
        write_archive(image, "x:latest", io.BytesIO())


def test_a_layer_cannot_pass_for_files_of_the_image_s_tar(tmp_path: Path) -> None:
    """An engine would take a file `manifest.json` in a layer for the image's, and give its layers any image's name."""
    layout = write_layout(tmp_path / "l")
    change_manifest(layout, lambda manifest: manifest["layers"][0].update(size=512))
    with pytest.raises(BadInput, match="bytes, not 512"):
        write_archive(read_layout(layout), "x:latest", io.BytesIO())


def test_a_workflows_name_becomes_a_repository_name() -> None:
    assert image_tag("Héllo__World.v2") == "localhost/pycomfy/h-llo-world-v2:latest"
    assert image_tag("+++") == "localhost/pycomfy/workflow:latest"


def test_an_engine_that_copies_layers_is_not_given_an_image_without_room_for_the_copies(tmp_path: Path) -> None:
    engine = describe_podman(
        {"host": {}, "store": {"graphDriverName": "vfs", "graphRoot": str(tmp_path)}}, runtime=None
    )
    image = replace(read_layout(write_layout(tmp_path / "l")), size=1 << 50)
    with pytest.raises(NoSpace, match="vfs makes of an image with 2 layers take 1688849") as raised:
        provide(engine, image, "pycomfy-test")
    assert 'driver = "overlay"' in str(raised.value.fix)


@pytest.fixture
def image(engine: Engine, tmp_path: Path) -> Iterator[LayoutImage]:
    image = read_layout(write_layout(tmp_path / "l", linked=True))
    yield image
    forget(engine, image, "pycomfy-loaded")


def test_what_the_engine_copies_while_it_loads_goes_when_that_is_interrupted(
    engine: Engine, image: LayoutImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.kind != "podman":
        pytest.skip("no Podman here")
    copies = tmp_path / "copies"
    copies.mkdir()

    def begin(image: LayoutImage, tag: str, out: IO[bytes]) -> None:
        out.write(bytes(1 << 20))
        out.flush()
        wait_until(lambda: any(path.is_file() and path.stat().st_size for path in copies.rglob("*")))
        raise KeyboardInterrupt

    monkeypatch.setattr(load_module, "write_archive", begin)
    with pytest.raises(KeyboardInterrupt):
        load(replace(engine, copies_images_by=copies), image, "pycomfy-loaded")
    assert list(copies.iterdir()) == []
    assert engine.copies_images_by is not None and engine.copies_images_by.is_dir()


def test_an_image_is_loaded_once_under_its_config_digest(engine: Engine, image: LayoutImage) -> None:
    identity = load(engine, image, "pycomfy-loaded")
    for path in image.layout.rglob("*"):
        if path.is_symlink():
            path.unlink()
    assert load(engine, image, "pycomfy-loaded") == identity == find_loaded(engine, image)
    names = process.run(engine.command("image", "inspect", "--format", "{{.RepoTags}}", identity)).stdout
    assert names.strip() == b"[localhost/pycomfy/pycomfy-loaded:latest]"


def test_an_engine_that_takes_no_links_loads_the_same_image(engine: Engine, image: LayoutImage) -> None:
    linked, loading = provide(engine, image, "pycomfy-loaded"), replace(engine, storage_options=None)
    assert find_loaded(engine, image) is None or not engine.links_images
    loaded = provide(loading, image, "pycomfy-loaded")
    assert loaded.store is None and loaded.id == linked.id == find_loaded(engine, image)
