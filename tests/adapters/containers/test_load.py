import io
import json
import tarfile
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.load import find_loaded, image_tag, load, read_layout, write_archive
from pycomfy.adapters.io import process
from pycomfy.errors import BadInput, NotFound
from tests.support.tiny_image import ARCHITECTURE, write_layout


def test_a_layout_is_read_with_its_digests(tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l", compressed=True))
    assert image.platform == f"linux/{ARCHITECTURE}"
    assert image.layers != image.diff_ids
    assert image.size == sum(image.blob(d).stat().st_size for d in (image.config_digest, *image.layers))


def test_a_missing_layout_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no OCI layout"):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        '{"manifests": []}',
        '{"manifests": [{"digest": "sha256:x"}]}',
        '{"manifests": [{"digest": "../../../etc/passwd"}]}',
        '{"manifests": [{}, {}]}',
        '{"manifests": 3}',
        '{"manifests": [' + " " * (5 << 20) + "]}",
    ],
)
def test_a_broken_layout_is_bad_input(tmp_path: Path, index: str) -> None:
    layout = write_layout(tmp_path / "l")
    (layout / "index.json").write_text(index)
    with pytest.raises(BadInput):
        read_layout(layout)


def test_a_layout_with_a_missing_blob_is_bad_input(tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l"))
    image.blob(image.config_digest).unlink()
    with pytest.raises(BadInput):
        read_layout(image.layout)


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "/proc/self/environ"])
@pytest.mark.parametrize("which", ["index", "manifest", "config", "layer", "oci-layout", "blobs", "layer by a link"])
def test_a_layout_that_leads_out_is_refused(tmp_path: Path, which: str, target: str) -> None:
    """It may be of a version that somebody else made; an engine would read without end, or as this user."""
    image = read_layout(write_layout(tmp_path / "store" / "l", linked=True))
    paths = {
        "index": image.layout / "index.json",
        "oci-layout": image.layout / "oci-layout",
        "manifest": image.blob(image.manifest_digest),
        "config": image.blob(image.config_digest),
        "layer": image.blob(image.layers[0]),
        "layer by a link": tmp_path / "store" / "l-store" / image.blob(image.layers[0]).name,
    }
    if which == "blobs":
        (image.layout / "blobs" / "sha256").rename(tmp_path / "elsewhere")
        (image.layout / "blobs" / "sha256").symlink_to(tmp_path / "elsewhere")
        for blob in (tmp_path / "elsewhere").iterdir():
            data = blob.read_bytes()
            blob.unlink()
            blob.write_bytes(data)
    else:
        paths[which].unlink()
        paths[which].symlink_to(target)
    with pytest.raises(BadInput if which != "oci-layout" else (BadInput, NotFound)):
        read_layout(image.layout)


def test_the_archive_for_docker_has_every_blob_and_both_indexes(tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l", linked=True))
    out = io.BytesIO()
    write_archive(image, "localhost/pycomfy/x:latest", out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        members = {m.name: m for m in tar}
        (old,) = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        (new,) = json.load(tar.extractfile("index.json") or io.BytesIO())["manifests"]
    assert all(m.isfile() for m in members.values())
    assert old["RepoTags"] == ["localhost/pycomfy/x:latest"]
    assert {old["Config"], *old["Layers"]} <= set(members)
    assert new["digest"] == image.manifest_digest


def test_a_workflows_name_becomes_a_repository_name() -> None:
    assert image_tag("Héllo__World.v2") == "localhost/pycomfy/h-llo-world-v2:latest"
    assert image_tag("+++") == "localhost/pycomfy/workflow:latest"


def test_an_image_is_loaded_once_under_its_config_digest(engine: Engine, tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l", linked=True))
    identity = load(engine, image, "pycomfy-loaded")
    for path in image.layout.rglob("*"):
        if path.is_symlink():
            path.unlink()
    assert load(engine, image, "pycomfy-loaded") == identity == find_loaded(engine, image)
    names = process.run(engine.command("image", "inspect", "--format", "{{.RepoTags}}", identity)).stdout
    assert names.strip() == b"[localhost/pycomfy/pycomfy-loaded:latest]"
    process.run(engine.command("rmi", "--force", identity))
