"""The runtime in a real image, with the real ComfyUI in it: what a job returns, and how it fails.

The image is the one of the demo.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_protocol import JobRequest
from pycomfy.adapters.containers.load import LayoutImage, load, read_layout
from pycomfy.adapters.containers.process import run_container
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import RunFailed
from pycomfy.services.run.inputs import Arguments
from pycomfy.services.run.run import RunOptions, RunRequest, RunResult, run_image
from pycomfy.services.run.run import run as run_version
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.service_projects import make_files, record_layout

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def layout(made: Mapping[str, Any]) -> LayoutImage:
    return read_layout(Path(made["build"]["oci"]))


def node(class_type: str, **inputs: object) -> dict[str, object]:
    return {"class_type": class_type, "inputs": inputs}


IMAGE = node("EmptyImage", width=64, height=32, batch_size=2, color=255)


def run(engine: Engine, image: LayoutImage, folder: Path, prompt: Mapping[str, Any], **job: Any) -> RunResult:
    request = RunRequest("story", RunOptions(folder / "out"), JobRequest(prompt, **{"timeout": 300, **job}))
    return run_image(Workspace(Paths(folder / "home", folder / "cache")), engine, image, "pycomfy-story", request)


def test_every_kind_of_output_comes_out(engine: Engine, layout: LayoutImage, tmp_path: Path) -> None:
    prompt = {
        "1": IMAGE,
        "2": node("SaveImage", images=["1", 0], filename_prefix="deep/hello"),
        "3": node("PreviewImage", images=["1", 0]),
        "4": node(
            "SaveAnimatedWEBP",
            images=["1", 0],
            filename_prefix="a",
            fps=6.0,
            lossless=True,
            quality=80,
            method="default",
        ),
        "5": node("PreviewAny", source="some text"),
    }
    result = run(engine, layout, tmp_path, prompt, workflow={"nodes": []})
    assert {(o.node, o.media_type) for o in result.outputs} == {
        ("2", "image/png"),
        ("3", "image/png"),
        ("4", "image/webp"),
        ("5", "text/plain"),
    }
    assert len(result.outputs) == 6
    assert [o.path.read_text() for o in result.outputs if o.node == "5"] == ["some text"]
    saved = next(o.path for o in result.outputs if o.node == "2")
    assert saved.parent == tmp_path / "out" / "deep"
    data = saved.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert b'{"nodes": []}' in data, "the workflow travels in the picture"


def red_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_picture_given_as_an_input_is_read(layout: LayoutImage, tmp_path: Path) -> None:
    """With the real ComfyUI, which finds the copy under its new name."""
    prompt = {"1": node("LoadImage", image="a.png"), "2": node("SaveImage", images=["1", 0], filename_prefix="x")}
    target = {"node": "1", "input": "image"}
    parameter = {"name": "photo", "type": "image", "targets": [target], "default": "a.png"}
    interface = json.dumps({"version": 1, "parameters": [parameter]}).encode()
    paths = new_paths(tmp_path)
    record_layout(paths, {**make_files("pictures", prompt), "interface.json": interface}, layout)
    (tmp_path / "my [input] photo.PNG").write_bytes(red_png(32, 16))
    arguments = Arguments({"photo": str(tmp_path / "my [input] photo.PNG")})
    job = JobRequest(timeout=300)
    (output,) = run_version(
        Workspace(paths), RunRequest("pictures", RunOptions(tmp_path / "out"), job, arguments)
    ).outputs
    made = output.path.read_bytes()
    assert struct.unpack(">II", made[16:24]) == (32, 16)
    at = made.index(b"IDAT")
    pixels = zlib.decompressobj().decompress(made[at + 4 :])
    assert pixels[1:4] == b"\xff\0\0", "the first pixel, which no filter changes"


def test_a_missing_model_is_named_with_its_node(engine: Engine, layout: LayoutImage, tmp_path: Path) -> None:
    prompt = {"4": node("CheckpointLoaderSimple", ckpt_name="gone.safetensors"), "1": IMAGE}
    prompt["5"] = node("VAEEncode", pixels=["1", 0], vae=["4", 2])
    prompt["6"] = node("PreviewAny", source=["5", 0])
    with pytest.raises(RunFailed, match=r"gone\.safetensors") as caught:
        run(engine, layout, tmp_path, prompt)
    assert caught.value.where == "node 4 (CheckpointLoaderSimple)"


def test_the_image_lists_its_own_nodes(engine: Engine, layout: LayoutImage, tmp_path: Path) -> None:
    lines: list[bytes] = []
    spec = ContainerSpec(load(engine, layout, "pycomfy-story"), ("object-info",), tmp_path)
    assert run_container(engine, spec, b"", lines.append, 300).status == 0
    answer = json.loads(lines[-1])
    assert answer["import_failures"] == []
    assert "KSampler" in answer["object_info"]


def test_each_model_is_in_comfyuis_lists_once(engine: Engine, layout: LayoutImage, tmp_path: Path) -> None:
    """The gateway links it into ComfyUI's own folder, and some lists do not leave out what is found twice."""
    for path in ("checkpoints/a.safetensors", "loras/deep/b.safetensors", "diffusers/c/model_index.json"):
        (tmp_path / "models" / path).parent.mkdir(parents=True)
        (tmp_path / "models" / path).write_text("x")
    (tmp_path / "data").mkdir()
    lines: list[bytes] = []
    image = load(engine, layout, "pycomfy-story")
    spec = ContainerSpec(image, ("object-info",), tmp_path / "data", models=tmp_path / "models")
    assert run_container(engine, spec, b"", lines.append, 300).status == 0
    types = json.loads(lines[-1])["object_info"]
    inputs = {"CheckpointLoaderSimple": "ckpt_name", "LoraLoader": "lora_name", "DiffusersLoader": "model_path"}
    listed = [types[type_]["input"]["required"][name][0] for type_, name in inputs.items()]
    assert listed == [["a.safetensors"], ["deep/b.safetensors"], ["c"]]
