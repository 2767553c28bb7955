"""The editor is the judge: a node pack's code for the editor decides what the image's prompt is.

The browser comes from the lock alone: nothing of this machine's is used.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.io import process
from tests.stories.conftest import ROOT, Demo

pytestmark = pytest.mark.story

PACK = Path(__file__).parent / "packs" / "story_rows"
ROWS = [{"on": True, "text": "first"}, {"on": False, "text": "off"}, {"on": True, "text": "second"}]


def _workflow(**properties: object) -> dict[str, Any]:
    def node(number: int, values: list[object], **own: object) -> dict[str, Any]:
        return {
            "id": number,
            "type": "StoryRows",
            "pos": [0, 300 * number],
            "size": [300, 200],
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "properties": own,
            "widgets_values": values,
        }

    nodes = [node(1, ["a {red|blue} hat", 7], rows=ROWS, **properties), node(2, ["plain", -1])]
    return {"version": 0.4, "last_node_id": 2, "last_link_id": 0, "nodes": nodes, "links": []}


READ_PROMPT = """
import sys
from pycomfy.services.versions.lookup import read_project
from pycomfy.services.workspace import Workspace
sys.stdout.buffer.write(read_project(Workspace.open(), sys.argv[1])["prompt.json"])
"""


@dataclass(frozen=True)
class Project:
    """A workflow, locked for this machine; with the environment of a user with a fresh home folder."""

    folder: Path
    environment: Mapping[str, str]
    notes: str

    def run(self, *arguments: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
        command = [str(ROOT / ".venv/bin/pycomfy"), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def prompt(self, reference: str) -> Any:
        command = [str(ROOT / ".venv/bin/python"), "-c", READ_PROMPT, reference]
        return json.loads(subprocess.run(command, env=self.environment, check=True, capture_output=True).stdout)


@pytest.fixture(scope="module")
def project(
    demo: Demo, made: Mapping[str, Any], engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("story") / "rows"
    folder.mkdir()
    shutil.copytree(PACK, folder / "packs" / "story_rows", ignore=shutil.ignore_patterns("__pycache__"))
    config = (demo.folder / "pycomfy.toml").read_text().partition("[packs.")[0]
    platform = json.loads((demo.folder / "build.json").read_text())["platform"]
    config = f'platforms = ["{platform}"]\n{config}\n[packs.story-rows]\npath = "packs/story_rows"\n'
    (folder / "pycomfy.toml").write_text(config)
    (folder / "workflow.json").write_text(json.dumps(_workflow()))
    locking = Project(folder, demo.environment, "").run("lock", ".")
    notes = locking.stdout + locking.stderr
    if "Debian has no browser" in notes:
        pytest.skip("Debian's mirror has no chromium-headless-shell")
    yield Project(folder, demo.environment, notes)
    process.run(engine.command("rmi", "--force", "localhost/pycomfy/rows"))


@pytest.fixture(scope="module")
def first(project: Project) -> str:
    """What the first build said."""
    return project.run("build", ".").stderr


def test_the_lock_pins_a_browser_and_says_how_much_it_is(project: Project) -> None:
    (platform,) = json.loads((project.folder / "pycomfy.lock").read_text())["platforms"].values()
    assert "chromium-headless-shell" in {package["name"] for package in platform["browser"]["packages"]}
    assert "story-rows has code for the editor" in project.notes and " MB, fetched by the first" in project.notes


def test_the_editor_s_prompt_is_the_image_s(project: Project, first: str) -> None:
    prompt = project.prompt("rows@1")
    year = {"since": True}
    assert prompt["1"]["inputs"] == {
        "name": "a {red|blue} hat",
        "seed": 7,
        "row_1": {"text": "FIRST", **year},
        "row_2": {"text": "SECOND", **year},
    }
    assert prompt["2"]["inputs"] == {"name": "plain", "seed": -1}


def test_what_differs_is_named_and_what_is_drawn_too(first: str) -> None:
    assert 'node 1 (StoryRows): the editor sends row_1 = {"text": "FIRST", "since": true}' in first
    assert "pycomfy would have sent nothing" in first
    assert "node 2 (StoryRows): seed, saved as -1" in first


def test_the_image_runs_what_the_editor_sent(project: Project, first: str) -> None:
    done = json.loads(project.run("run", "rows", "-o", "out", "--json").stdout)
    texts = [Path(project.folder, output["path"]).read_text() for output in done["outputs"]]
    assert any("row_1={'text': 'FIRST'" in text for text in texts)


def test_a_second_build_asks_nobody(project: Project, first: str) -> None:
    again = project.run("build", ".", "--json")
    assert "Ask ComfyUI's editor" in first and "Ask ComfyUI's editor" not in again.stderr
    assert "the editor sends row_1" in again.stderr
    assert json.loads(again.stdout)["new"] is False


def test_convert_with_a_version_asks_its_editor(project: Project, first: str) -> None:
    other = _workflow()
    other["nodes"][0]["properties"]["rows"] = [{"on": True, "text": "third"}]
    (project.folder / "other.json").write_text(json.dumps(other))
    prompt = json.loads(project.run("convert", "other.json", "--with", "rows").stdout)
    assert prompt["1"]["inputs"]["row_1"] == {"text": "THIRD", "since": True}
    assert "row_2" not in prompt["1"]["inputs"]


def test_the_page_has_no_network(project: Project, first: str) -> None:
    """It tells so itself: what it cannot fetch is in its row."""
    workflow = _workflow(asks="http://debian.org/")
    (project.folder / "asks.json").write_text(json.dumps(workflow))
    prompt = json.loads(project.run("convert", "asks.json", "--with", "rows").stdout)
    assert prompt["1"]["inputs"]["answer"] == "TypeError: Failed to fetch"


def test_an_error_of_the_editor_stops_the_conversion_and_says_how_to_go_on(project: Project, first: str) -> None:
    (project.folder / "fails.json").write_text(json.dumps(_workflow(fails=True)))
    told = project.run("convert", "fails.json", "--with", "rows", status=1).stderr
    assert "story_rows fails as it is told to" in told and 'use = "never"' in told
    (log,) = [line.split(maxsplit=1)[1] for line in told.splitlines() if line.strip().startswith("where:")]
    assert "fails as it is told to" in Path(log).read_text()
