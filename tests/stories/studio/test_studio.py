"""The studio in a real browser: a workflow is dropped, built, run, changed, compared and restored by clicks, and every
screen is looked at."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.stories.browser import find_node
from tests.stories.conftest import ROOT, Demo
from tests.support.waiting import HANG

pytestmark = pytest.mark.story

SCRIPT = "<img src=x onerror='window.alerted=true'><script>window.alerted=true</script>"
TABS = ("graph", "needs", "versions", "builds", "api", "run")
SCREENS = ("workflows", *TABS, "compare", "system", "missing")
OPENED = ("commands", "restore", "node")


@dataclass
class Studio:
    """`pycomfy serve`, which can be killed and started again at the same port."""

    environment: dict[str, str]
    process: "subprocess.Popen[str] | None" = None
    port: int = 0

    def start(self) -> str:
        """The address with the token of this start."""
        command = [sys.executable, "-P", "-m", "pycomfy", "serve", "--no-open", "--json", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += self.process.stdout.readline()
        url = str(json.loads(text)["url"])
        self.port = urlsplit(url).port or 0
        return url

    def end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.communicate(timeout=HANG)


@pytest.fixture
def studio(demo: Demo, made: dict[str, Any]) -> Iterator[Studio]:
    studio = Studio(demo.environment)
    yield studio
    studio.end(signal.SIGINT)


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


def drive(studio: Studio, browser: str, pictures: Path, file: Path) -> dict[str, Any]:
    """What the browser said, by event; the server is killed and started again when it asks for that."""
    url, script = studio.start(), ROOT / "tests/stories/studio/story.mjs"
    command = [str(find_node()), str(script), url, str(pictures), str(file), browser]
    said: dict[str, Any] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        assert p.stdin is not None and p.stdout is not None and p.stderr is not None
        for line in p.stdout:
            one = json.loads(line)
            said[one["event"]] = one
            if one["event"] == "restart":
                studio.end(signal.SIGKILL)
                p.stdin.write(f"{studio.start()}\n")
                p.stdin.flush()
        errors = p.stderr.read()
    assert p.returncode == 0, f"{json.dumps(said, indent=1)}\n{errors}"
    return said


def test_a_workflow_is_built_run_changed_compared_and_restored_by_clicks_and_every_screen_is_seen(
    demo: Demo, studio: Studio, browser: str, pictures: Path, tmp_path: Path
) -> None:
    file = tmp_path / "evil.json"
    file.write_text(json.dumps(hostile_workflow()))
    said = drive(studio, browser, pictures, file)
    (pictures / "said.json").write_text(json.dumps(said, indent=1))
    # Scripts in every text of a workflow are text.
    assert (said["dropped"]["alerted"], said["dropped"]["images"]) == (False, 0)
    assert said["example"]["nodes"] == 5
    # The build went on while the server was killed. Both browsers saw the same, and it is what the command line says.
    assert said["built"]["same"] and any("Build layers" in step for step in said["built"]["steps"])
    second, first = demo.pycomfy("log", said["example"]["name"])
    assert said["built"]["digests"] == [first["manifest_digest"]] * 2
    assert said["ran"]["width"] == 256 and "cancelled" in said
    # What was said before is what happened: the pins stay, and one layer is built.
    changed = said["changed"]
    assert (changed["refused"], changed["undone"]) == (True, "7")
    assert "keeps every pin" in changed["plan"] and "4242" in changed["plan"]
    assert changed["digest"] == second["manifest_digest"] != first["manifest_digest"]
    locks = [demo.pycomfy("show", f"{said['example']['name']}@{number}") for number in (1, 2)]
    assert locks[0]["packs"] == locks[1]["packs"] and locks[0]["platforms"] == locks[1]["platforms"]
    assert sorted(second["summary"]) == sorted(locks[1]["summary"]) and len(second["summary"]) == 2
    # Both forms of the comparison say it.
    assert "4242" in said["compared"]["list"] and "noon" in said["compared"]["list"]
    (mark,) = said["compared"]["marks"]
    assert "~ changed" in mark and "4242" in mark
    # The first version is there again, bit for bit.
    assert first["manifest_digest"] in said["restored"]["promise"]
    assert said["restored"]["digests"] == [first["manifest_digest"]] * 2 and said["restored"]["versions"] == 2
    # No error in the console, no request to another host, nothing wider than its window, nothing that
    # moves while it loads, nothing that axe finds in either colour.
    assert said["seen"]["faults"] == []
    forms = [f"{width}-{scheme}" for width in (1440, 390) for scheme in ("light", "dark")]
    wanted = {f"{s}-{form}.png" for s in SCREENS for form in forms}
    wanted |= {f"{s}-{form}.png" for s in OPENED for form in ("1440-light", "390-dark")}
    assert wanted <= {path.name for path in pictures.glob("*.png")}
