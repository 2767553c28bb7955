"""The runtime in a real image, with the real ComfyUI in it: what a job returns, and how it fails.

The image is the one of the demo.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.actions.run import RunOptions, RunRequest, RunResult, run_image
from pycomfy.errors import RunFailed
from pycomfy.outside.engine import ContainerSpec, Engine, LayoutImage, load, read_layout, run_container
from pycomfy.outside.home import Home
from pycomfy.outside.job import JobRequest
from pycomfy.progress import Silent

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def layout(made: Mapping[str, Any]) -> LayoutImage:
    return read_layout(Path(made["build"]["oci"]))


def node(class_type: str, **inputs: object) -> dict[str, object]:
    return {"class_type": class_type, "inputs": inputs}


IMAGE = node("EmptyImage", width=64, height=32, batch_size=2, color=255)


def run(engine: Engine, image: LayoutImage, folder: Path, prompt: Mapping[str, Any], **job: Any) -> RunResult:
    request = RunRequest("story", RunOptions(folder / "out"), JobRequest(prompt, **{"timeout": 300, **job}))
    return run_image(engine, image, "pycomfy-story", request, Home(folder / "home", folder / "cache"), Silent())


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
