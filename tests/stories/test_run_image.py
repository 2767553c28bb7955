"""The runtime in a real image, with the real ComfyUI in it: what a job returns, and how it fails.

The image is the one of the demo.
"""

import functools
import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.arguments import ContainerSpec, Limits
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_protocol import JobRequest
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.containers.load import provide
from pycomfy.adapters.containers.process import run_container
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import RunFailed
from pycomfy.services.run.inputs import Arguments
from pycomfy.services.run.run import RunOptions, RunRequest, RunResult, run_image
from pycomfy.services.run.run import run as run_version
from pycomfy.services.workspace import Workspace
from tests.stories.any_pack import IN_CONTAINER, write_any_pack
from tests.stories.conftest import red_png
from tests.support.data_folders import new_paths
from tests.support.operations import Recorder, listening
from tests.support.service_projects import make_files, record_layout

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def layout(made: Mapping[str, Any]) -> LayoutImage:
    return read_layout(Path(made["build"]["oci"]))


def node(class_type: str, **inputs: object) -> dict[str, object]:
    return {"class_type": class_type, "inputs": inputs}


IMAGE = node("EmptyImage", width=64, height=32, batch_size=2, color=255)


def run(
    engine: Engine,
    image: LayoutImage,
    folder: Path,
    prompt: Mapping[str, Any],
    limits: Limits | None = None,
    **job: Any,
) -> RunResult:
    options = RunOptions(folder / "out", limits=limits)
    request = RunRequest("story", options, JobRequest(prompt, **{"timeout": 300, **job}))
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
    spec = ContainerSpec(provide(engine, layout, "pycomfy-story"), ("object-info",), tmp_path)
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
    image = provide(engine, layout, "pycomfy-story")
    spec = ContainerSpec(image, ("object-info",), tmp_path / "data", models=tmp_path / "models")
    assert run_container(engine, spec, b"", lines.append, 300).status == 0
    types = json.loads(lines[-1])["object_info"]
    inputs = {"CheckpointLoaderSimple": "ckpt_name", "LoraLoader": "lora_name", "DiffusersLoader": "model_path"}
    listed = [types[type_]["input"]["required"][name][0] for type_, name in inputs.items()]
    assert listed == [["a.safetensors"], ["deep/b.safetensors"], ["c"]]


MADE = """
import os, time
def make(name, data=b"made"):
    with open(b"/data/output/" + name, "wb") as f: f.write(data)
make(b"made.txt")
"""
SAYING = (
    MADE
    + """
import json
import re
fd = os.open("/proc/1/fd/1", os.O_WRONLY)
def say(data):
    while data: data = data[os.write(fd, data):]
def event(**keys): say(json.dumps(keys).encode() + b"\\n")
"""
)


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """The remarks on a run in the image, to which a node pack is added that runs any code."""
    mounts = {IN_CONTAINER: write_any_pack(tmp_path / "pack")}
    monkeypatch.setattr("pycomfy.services.run.run.ContainerSpec", functools.partial(ContainerSpec, mounts=mounts))
    with listening() as recorder:
        yield recorder


def saved(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("code", "what", "fix"),
    [
        ("raise ValueError('no')", "ValueError: no", "whole log"),
        ("os._exit(9)", "exited with status 9", "whole log"),
        ("kept = []\nwhile True: kept.append(bytearray(64 << 20))", "memory was used up", "memory=SIZE"),
        ("open('/tmp/x', 'wb').write(bytes(900 << 20))", "No space left on device", "tmp=SIZE"),
        ("[__import__('subprocess').Popen(['sleep', '9']) for _ in range(999)]", "temporarily unavailable", "pids=N"),
        ("result = {'text': ['kept', 'too']}\nimport threading; threading.Timer(1, os._exit, (9,)).start()", "", ""),
    ],
)
def test_however_a_real_job_ends_what_it_made_is_saved(
    engine: Engine, layout: LayoutImage, tmp_path: Path, heard: Recorder, code: str, what: str, fix: str
) -> None:
    prompt = {"1": node("Any", code=MADE + code)}
    if not what:  # another node is at work when ComfyUI dies
        prompt["2"] = node("Any", code="import time; time.sleep(600)", after=["1", 0])
        what, fix = "exited with status 9", "whole log"
    with pytest.raises(RunFailed, match=what) as caught:
        run(engine, layout, tmp_path, prompt, Limits(memory=4 << 30, tmp=800 << 20, pids=300))
    assert fix in caught.value.fix
    files = saved(tmp_path)
    assert files.pop("made.txt") == b"made"
    assert set(files.values()) == ({b"kept", b"too"} if "'kept'" in code else set())


def test_a_real_job_that_takes_too_long_keeps_what_is_done_and_says_what_is_not(
    engine: Engine, layout: LayoutImage, tmp_path: Path, heard: Recorder
) -> None:
    wait = "f = open('/data/output/half.mp4', 'wb'); f.write(b'half'); f.flush(); time.sleep(600)"
    limit = 20.0
    while not (tmp_path / "out" / "half.mp4").exists():  # else ComfyUI was not even up in that time
        limit *= 2
        with pytest.raises(RunFailed, match="took longer than"):
            run(engine, layout, tmp_path, {"1": node("Any", code=MADE + wait)}, timeout=limit)
    assert {"made.txt", "half.mp4"} <= set(saved(tmp_path))
    incomplete = [remark for remark in heard.remarks if "may be incomplete" in remark]
    assert len(incomplete) == 1 and "half.mp4" in incomplete[0]


def test_what_a_real_pack_says_is_bounded_and_its_outputs_are_saved(
    engine: Engine, layout: LayoutImage, tmp_path: Path, heard: Recorder
) -> None:
    code = (
        SAYING
        + """
event(event="progress", node="1", title="x", step=float("inf"), of=float("inf"))
forged = {"node": "1", "kind": "k", "file": "../x", "type": "output", "media_type": "x/y"}
event(event="output", path="../../etc/passwd", **forged)
say(b'{"event": "log", "line": "\\\\ud800 half"}\\n')
for _ in range(3): event(event="log", line="x" * (2 << 20))
for _ in range(2000): print("y" * 1000)
from comfy.utils import ProgressBar
ProgressBar(float("inf")).update_absolute(float("inf"), float("inf"))
for name in (b"-rf", b".hidden", b"caf\\xe9.txt", "\\u6f22".encode() * 80, b"renders\\\\hello"): make(name)
os.symlink("/etc/passwd", "/data/output/link"); os.mkfifo("/data/output/fifo")
result = {"images": [{"filename": name, "subfolder": "", "type": "output"} for name in ("link", "fifo", "x" * 999)]}
result["numbers"] = [float("nan"), 10**400, [[[[float("inf")]]]]]
"""
    )
    result = run(engine, layout, tmp_path, {"1": node("Any", code=code)})
    assert set(saved(tmp_path)) == {"made.txt", "_rf", "_hidden", "caf_.txt", "\u6f22" * 66, "renders_hello"}
    assert [value.value for value in result.values] == [None, 10**400, [[[[None]]]]]
    assert sum("named an output that does not exist" in remark for remark in heard.remarks) == 3
    # Five, unless what others write falls into one of the long lines.
    told = re.findall(r"(\d+) lines of the container's events not taken", "\n".join(heard.remarks))
    assert len(told) == 1 and 3 <= int(told[0]) <= 8, heard.remarks
