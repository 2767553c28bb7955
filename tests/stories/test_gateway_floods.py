"""A node pack that floods its log, its messages, its outputs or its disk, served from the real image.

Two ComfyUIs, so that one of them floods while the other does the work of others.
"""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.gateway.jobs.housekeeping import KEEP_FREE
from tests.stories.any_pack import IN_CONTAINER, write_any_pack
from tests.stories.gateway.container import Container, node, serving, small
from tests.support.small_disks import small_disk

pytestmark = pytest.mark.story

DISK = 640 << 20
MEMORY = 400 << 20
"""Of the gateway: an answer of ComfyUI is read whole, and these packs send more in all."""

LEFT_OUT = "pycomfy_comfyui_log_lines_left_out_total"


@pytest.fixture(scope="module")
def flooded(
    engine: Engine, hello_image: StartableImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("flooded")
    mounts = {IN_CONTAINER: write_any_pack(folder / "pack")}
    settings = {"PYCOMFY_WORKERS": "2"}
    with (
        small_disk(folder / "data", f"size={DISK}"),
        serving(engine, hello_image, folder, settings, mounts=mounts) as container,
    ):
        yield container


def run(container: Container, code: str) -> dict[str, Any]:
    return container.finish(container.submit({"1": node("Any", code=code)})["id"])


def others_go_on(container: Container) -> None:
    done = container.finish(container.submit(small(uuid.uuid4().int))["id"])
    assert done["status"] == "succeeded", done["error"]


def test_a_pack_that_floods_its_log_keeps_nobody_waiting_and_the_log_tells_what_is_left_out(flooded: Container) -> None:
    """Until it is stopped: lines, a line without an end, and bytes that are no text."""
    code = """
import os
print("the first of many")
while not os.path.exists("/data/stop"):
    os.write(1, b"y" * 4000000)
    os.write(1, b"\\n" + b"z" * 1000 + b"\\xff\\x00\\r")
    print(*("x" * 1000 for _ in range(2000)), sep="\\n")
result = {"text": ["done"]}
"""
    before = flooded.log.stat().st_size
    job = flooded.submit({"1": node("Any", code=code)})["id"]
    flooded.until(lambda: flooded.metric(LEFT_OUT) > 20_000)
    others_go_on(flooded)
    assert flooded.http.get("/livez").status_code == 200
    flooded.until(lambda: flooded.metric(LEFT_OUT) > 100_000)
    assert flooded.job(job)["status"] == "running"
    (flooded.data / "stop").touch()
    assert flooded.finish(job)["status"] == "succeeded"
    log = flooded.log.read_text()[before:]
    assert "the first of many" in log
    assert "ComfyUI printed too much: " in log
    assert log.count("\n") < flooded.metric(LEFT_OUT) / 10 and len(log) < 20 << 20
    assert flooded.memory() < MEMORY
    others_go_on(flooded)


def test_a_pack_that_floods_the_websocket_ends_and_the_memory_is_bounded(flooded: Container) -> None:
    code = """
from server import PromptServer
from comfy.utils import ProgressBar
send = PromptServer.instance.send_sync
for n in range(700):
    send("story.junk", {"text": "x" * 200000})
    send("progress", {"value": n, "max": 10**400, "node": "?" * 1000, "prompt_id": None})
    send(f"story.{n}", [[[n]]])
bar = ProgressBar(20000)
for _ in range(20000): bar.update(1)
"""
    done = run(flooded, code)
    assert done["status"] == "succeeded", done["error"]
    assert flooded.memory() < MEMORY
    others_go_on(flooded)


def test_a_pack_that_returns_outputs_without_end_gets_those_that_a_job_may_have(flooded: Container) -> None:
    done = run(flooded, "result = {'big': ['x' * 50000000], 'text': [str(n) for n in range(30000)]}")
    assert done["status"] == "succeeded", done["error"]
    assert len(done["outputs"]) == 10_000
    assert {o["size_bytes"] for o in done["outputs"]} == {1, 2, 3, 4, 50_000_000}
    typed = flooded.http.get(f"/v1/jobs/{done['id']}").json()
    assert typed["warnings"] == ["more than 10000 outputs: the others are not kept"]
    assert flooded.memory() < MEMORY
    others_go_on(flooded)


def test_a_pack_that_fills_the_disk_fails_and_others_go_on(flooded: Container) -> None:
    code = """
import folder_paths, os
folder = folder_paths.get_output_directory() + "/flood"
os.makedirs(folder)
for n in range(10000):
    with open(f"{folder}/{n}.bin", "wb") as f: f.write(os.urandom(1 << 22))
"""
    done = run(flooded, code)
    assert done["status"] == "failed"
    assert "No space left on device" in done["error"]["message"] and done["error"]["node_id"] == "1"

    def accepted() -> bool:
        with contextlib.suppress(AssertionError):
            others_go_on(flooded)
            return True
        return False

    flooded.until(accepted)
    # The oldest results have made room: those of the flood as well.
    flooded.until(lambda: shutil.disk_usage(flooded.data).free > KEEP_FREE)
