"""Which version made a file: by what is in it, and by the runs that are recorded."""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.versions.made_by import MAX_INPUTS, MAX_TEXT, parse_made_by
from pycomfy.core.versions.reference import parse_reference
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import BadInput, NotFound
from pycomfy.services.run.history import Given, record_run
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.versions.picture import is_picture, show_picture
from pycomfy.services.workspace import Workspace
from tests.support.moments import NOW
from tests.support.service_projects import make_files, record_layout
from tests.support.tiny_image import write_layout
from tests.support.waiting import ending


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(**texts: object) -> bytes:
    """A PNG as ComfyUI writes it: each text as JSON in a chunk."""
    chunks = [chunk(b"tEXt", k.encode() + b"\0" + json.dumps(v).encode()) for k, v in texts.items()]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + b"".join(chunks) + chunk(b"IEND", b"")


def webp(**texts: object) -> bytes:
    """A WebP as ComfyUI writes it: EXIF with a tag for each text, from Make downwards."""
    values = [f"{k}:{json.dumps(v)}".encode() + b"\0" for k, v in texts.items()]
    at = 8 + 2 + 12 * len(values) + 4
    entries, data = b"", b""
    for number, value in enumerate(values):
        entries += struct.pack("<HHII", 0x010F - number, 2, len(value), at + len(data))
        data += value
    exif = b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + bytes(4) + data
    body = b"WEBP" + b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def made_by(files: Mapping[str, bytes], **more: object) -> dict[str, Any]:
    return {"name": "portrait", "lock_sha256": hashlib.sha256(files[LOCK]).hexdigest(), **more}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> LayoutImage:
    return read_layout(write_layout(tmp_path_factory.mktemp("tiny") / "layout", script="exit 0"))


@pytest.fixture
def workspace(tmp_path: Path, layout: LayoutImage) -> Workspace:
    """A data folder with portrait@1 and, with another lock, portrait@2."""
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    record_layout(paths, make_files("portrait"), layout)
    record_layout(paths, make_files("portrait", torch="2.9.1"), layout)
    return Workspace(paths)


def show(workspace: Workspace, data: bytes, name: str = "a.png") -> Any:
    file = workspace.paths.data / name
    file.write_bytes(data)
    return show_picture(workspace, str(file))


@pytest.mark.parametrize(("write", "kind"), [(png, "PNG"), (webp, "WebP")])
def test_a_file_names_the_version_with_its_lock(workspace: Workspace, write: Any, kind: str) -> None:
    about = made_by(make_files("portrait"), version="1", image_digest="sha256:x", job="j", inputs={"seed": 7})
    found = show(workspace, write(workflow={"nodes": []}, pycomfy=about))
    assert (found.format, found.version, found.proven, found.has_workflow) == (kind, "portrait@1", False, True)
    assert found.made_by["inputs"] == {"seed": 7}
    second = show(workspace, write(pycomfy=made_by(make_files("portrait", torch="2.9.1"), version="2")))
    assert second.version == "portrait@2" and second.commit != found.commit and not second.has_workflow


def test_a_renamed_workflow_is_found_by_its_lock_and_another_lock_is_not(workspace: Workspace) -> None:
    about = made_by(make_files("portrait"), version="9") | {"name": "earlier"}
    assert show(workspace, png(pycomfy=about)).version == "portrait@1"
    stranger = show(workspace, png(pycomfy=about | {"name": "portrait", "version": "1", "lock_sha256": "0" * 64}))
    assert stranger.version is None and stranger.made_by["name"] == "portrait"
    assert show(workspace, png(pycomfy={"name": "portrait", "version": "1"})).version is None, "a name proves nothing"


def test_a_file_that_a_recorded_run_saved_is_proven_whatever_is_in_it(workspace: Workspace) -> None:
    data = png(workflow={"nodes": []})
    output = {"path": "/gone.png", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    image = find_image(workspace, parse_reference("portrait@2"))
    record_run(workspace, image, Run(NOW, "podman", None, 1.0, (output,)), Given())
    found = show(workspace, data)
    assert (found.version, found.proven, found.run, found.made_by) == ("portrait@2", True, 1, None)


def test_a_file_that_says_nothing_is_an_error_that_says_what_is_known(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="nothing in this file says") as caught:
        show(workspace, png(workflow={"nodes": []}))
    assert "inspect" in caught.value.fix
    with pytest.raises(NotFound, match="nothing in this file says"):
        show(workspace, b"something else")
    with pytest.raises(NotFound, match="no file"):
        show_picture(workspace, str(workspace.paths.data / "gone.png"))
    for other in (workspace.paths.data, Path("/dev/zero")):
        with pytest.raises(BadInput):
            show_picture(workspace, str(other))


def test_hostile_texts_cost_little_and_print_nothing_odd(workspace: Workspace) -> None:
    bomb = b"pycomfy\0\0" + zlib.compress(b" " * (200 << 20), 9)
    deep = b"pycomfy\0" + b"[" * 100_000
    for data in (chunk(b"zTXt", bomb), chunk(b"tEXt", deep), chunk(b"tEXt", b"pycomfy\0{}"), b"\xff" * 100):
        with ending(), pytest.raises(NotFound):
            show(workspace, b"\x89PNG\r\n\x1a\n" + data)
    odd = parse_made_by(json.dumps({"name": "x" * 9000, "version": ["x"], "job": {}, "inputs": 3}).encode())
    assert odd is not None and len(odd.name) < 2000 and odd.version == "" and odd.inputs == {}
    many = parse_made_by(json.dumps({"inputs": {str(n): n for n in range(1000)}}).encode())
    assert many is not None and len(many.inputs) == MAX_INPUTS
    assert parse_made_by(b'{"name": "' + b"x" * MAX_TEXT + b'"}') is None
    assert parse_made_by(b'"text"') is None and parse_made_by(b"{") is None


def test_a_version_is_never_taken_for_a_file(
    workspace: Workspace, layout: LayoutImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_layout(workspace.paths, make_files("hello.png"), layout)
    monkeypatch.chdir(tmp_path)
    for name in ("hello", "hello.png", "hello@2", "hello.png@1", "portrait@1.png"):
        assert not is_picture(workspace, name)
    Path("hello").touch()
    Path("hello.png").touch()
    assert not is_picture(workspace, "hello")
    for name in ("hello.png", "./hello", "HELLO/x"):
        assert is_picture(workspace, name)


def test_a_name_of_a_picture_that_is_nowhere_is_a_file_that_does_not_exist(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("gone.png", "a picture.WEBP", "gone/clip.mp4", "./gone"):
        assert is_picture(workspace, name)
        with pytest.raises(NotFound, match="there is no file"):
            show_picture(workspace, name)
