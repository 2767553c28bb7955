"""The page of an image's gateway in a real browser: a workflow is run on a phone, at a desk, and by who has a key."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine, StartableImage
from tests.stories.browser import find_node
from tests.stories.conftest import ROOT
from tests.stories.gateway.container import Container, serving

pytestmark = pytest.mark.story

KEY = "key-of-the-story"
SCREENS = {
    "empty": ("390-light", "390-dark", "1440-light"),
    "done": ("390-light", "390-dark", "1440-light", "1440-dark"),
    "refused": ("1440-dark",),
    "running": ("1440-dark",),
    "key": ("1440-light", "390-dark"),
}


def drive(*arguments: str | Path) -> dict[str, Any]:
    """What the browser said, by event."""
    command = [str(find_node()), str(ROOT / "tests/stories/app/story.mjs"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    said = {one["event"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, f"{json.dumps(said, indent=1)}\n{done.stderr}"
    return said


def test_a_workflow_is_run_from_its_page_on_a_phone_and_at_a_desk_and_by_who_has_a_key(
    gateway: Container, engine: Engine, hello_image: StartableImage, browser: str, pictures: Path, tmp_path: Path
) -> None:
    keys = {"PYCOMFY_API_KEYS": f"ann:{KEY}", "PYCOMFY_GRAPHS": "fixed"}
    with (
        serving(engine, hello_image, tmp_path, keys) as keyed,
        gateway.on_port() as url,
        keyed.on_port() as keyed_url,
    ):
        said = drive(url, keyed_url, KEY, pictures, browser)
    (pictures / "app.json").write_text(json.dumps(said, indent=1))
    # The page sent what was typed, and shows what came.
    assert said["phone"]["size"] == [256, 160]  # half of it: the workflow scales the picture
    job = gateway.http.get(f"/v1/jobs/{said['phone']['job']}").json()
    assert (job["status"], job["inputs"]["title"]) == ("succeeded", "From a phone")
    # The values of a job give the same picture again, with the seed that was drawn.
    again = gateway.http.get(f"/v1/jobs/{said['again']['job']}").json()
    assert said["again"]["title"] == "From a phone" and said["again"]["seed"] == str(job["inputs"]["seed"])
    assert again["inputs"] == job["inputs"] and again["id"] != job["id"]
    hashes = [[file["hash"] for files in one["outputs"].values() for file in files] for one in (job, again)]
    assert hashes[0] == hashes[1] != []
    # What is wrong is said at its input; what goes on is followed over a reload, until it is cancelled.
    assert said["refused"]["invalid"] == "true"
    assert "Hello" in said["cancelled"]["nodes"] and said["cancelled"]["kept"] == "5120"
    # With a key its pictures come, and without it nothing.
    assert said["keyed"]["size"] == [128, 80] and said["keyed"]["source"].startswith("blob:")
    assert said["keyed"]["others"] == 0
    # No error in the console, no request to another host, nothing wider than its window, nothing that axe finds.
    assert said["seen"]["faults"] == []
    assert set(said["seen"]["asked"]) == {"/", "/app.js", "/app.css", "/icon.svg"}
    wanted = {f"app-{screen}-{form}.png" for screen, forms in SCREENS.items() for form in forms}
    assert wanted <= {path.name for path in pictures.glob("*.png")}
