import json
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.errors import BadInput, NotFound
from tests.support.tiny_image import ARCHITECTURE, change_manifest, write_layout


def test_a_layout_is_read_with_its_digests(tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "l"))
    assert image.platform == f"linux/{ARCHITECTURE}"
    about = [json.loads((image.layer(layer) / "layer.json").read_text()) for layer in image.layers]
    assert image.diff_ids == image.layers == tuple(one["digest"] for one in about)
    assert image.size == image.blob(image.config_digest).stat().st_size + sum(one["size"] for one in about)


def test_a_layer_is_in_the_nix_store_that_its_layout_is_in(tmp_path: Path) -> None:
    store = tmp_path / "root/nix/store"
    image = read_layout(write_layout(store / "aaa-image", linked=True))
    digest = image.layers[0]
    link = image.layout / "layers" / digest.removeprefix("sha256:")
    link.unlink()
    link.symlink_to(f"/nix/store/{store.name}-not-this-machines")
    assert image.layer(digest) == store / f"{store.name}-not-this-machines"


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


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "/proc/self/environ", "/etc", "/"])
@pytest.mark.parametrize(
    "which", ["index", "manifest", "config", "layer", "the layer's files", "layer.json", "oci-layout", "blobs"]
)
def test_a_layout_that_leads_out_is_refused(tmp_path: Path, which: str, target: str) -> None:
    """It may be of a version that somebody else made: a container would see this user's files."""
    image = read_layout(write_layout(tmp_path / "store" / "l", linked=True))
    paths = {
        "index": image.layout / "index.json",
        "oci-layout": image.layout / "oci-layout",
        "manifest": image.blob(image.manifest_digest),
        "config": image.blob(image.config_digest),
        "layer": image.layout / "layers" / image.layers[0].removeprefix("sha256:"),
        "the layer's files": image.layer(image.layers[0]) / "diff",
        "layer.json": image.layer(image.layers[0]) / "layer.json",
    }
    if which == "blobs":
        (image.layout / "blobs" / "sha256").rename(tmp_path / "elsewhere")
        (image.layout / "blobs" / "sha256").symlink_to(tmp_path / "elsewhere")
        for blob in (tmp_path / "elsewhere").iterdir():
            data = blob.read_bytes()
            blob.unlink()
            blob.write_bytes(data)
    else:
        paths[which].rename(tmp_path / "away")
        paths[which].symlink_to(target)
    with pytest.raises(BadInput if which != "oci-layout" else (BadInput, NotFound)):
        read_layout(image.layout)


@pytest.mark.parametrize("which", ["manifest", "config"])
def test_no_other_bytes_pass_for_what_has_a_digest(tmp_path: Path, which: str) -> None:
    """The digest is all that is recorded of an image; the layout is made by a project's code."""
    image = read_layout(write_layout(tmp_path / "l"))
    blob = image.blob(image.manifest_digest if which == "manifest" else image.config_digest)
    blob.write_bytes(blob.read_bytes() + b" ")
    with pytest.raises(BadInput, match="has another digest"):
        read_layout(image.layout)


@pytest.mark.parametrize("size", ["5", -1, 1.5, True, None])
def test_a_size_that_is_none_is_bad_input(tmp_path: Path, size: object) -> None:
    layout = write_layout(tmp_path / "l")
    change_manifest(layout, lambda manifest: manifest["layers"][0].update(size=size))
    with pytest.raises(BadInput, match="is not a size"):
        read_layout(layout)


def test_an_image_without_layers_is_bad_input(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "l")
    change_manifest(
        layout, lambda manifest: manifest["layers"].clear(), lambda config: config["rootfs"]["diff_ids"].clear()
    )
    with pytest.raises(BadInput, match="no layers"):
        read_layout(layout)


def test_a_tar_of_a_whole_layout_is_no_link_that_leads_out(tmp_path: Path) -> None:
    """Whoever pushes the layout would send this user's file."""
    image = read_layout(write_layout(tmp_path / "store" / "l"))
    image.blob(image.layers[0]).symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="is a link to /etc/passwd"):
        read_layout(image.layout)


def test_the_list_of_wrong_records_is_no_link_that_leads_out(tmp_path: Path) -> None:
    image = read_layout(write_layout(tmp_path / "store" / "l"))
    (image.layer(image.layers[0]) / "misrecorded.json").symlink_to("/dev/zero")
    with pytest.raises(BadInput, match="is a link to /dev/zero"):
        read_layout(image.layout)
