"""What the real ComfyUI says to our prompts, and to our reading of its source."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycomfy.core.analysis.node_types import class_types, is_node_source
from pycomfy.core.prompt.convert import Prompt, try_convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from tests.stories.frontend.comfyui import ComfyUI

pytestmark = pytest.mark.story

HOLD = {"1": {"class_type": "StoryHold", "inputs": {}}}

OUTDATED = {
    ("api_moonvalley_video_to_video_motion_transfer", "38", "invalid_input_type"),
    ("api_moonvalley_video_to_video_pose_control", "36", "value_bigger_than_max"),
}
"""Templates whose saved values do not fit the node any more: the editor sends the same (`test_browser`)."""

MISSING = {"value_not_in_list", "custom_validation_failed"}
"""What the server calls a model or a file that it does not have."""

READ_SOURCE = """
import json, pathlib
root = pathlib.Path("/opt/ComfyUI")
files = [p for p in root.rglob("*.py") if "custom_nodes" not in p.parts]
print(json.dumps({p.relative_to(root).as_posix(): p.read_text() for p in files}))
"""


@pytest.fixture
def held(comfyui: ComfyUI) -> Iterator[ComfyUI]:
    """The server busy with one prompt, so that it checks the others without running any."""
    comfyui.post("/prompt", {"prompt": HOLD}).raise_for_status()
    try:
        yield comfyui
    finally:
        comfyui.post("/queue", {"clear": True}).raise_for_status()
        comfyui.post("/interrupt", {}).raise_for_status()


def test_the_server_takes_every_template_but_for_missing_models_files_and_classes(
    held: ComfyUI, definitions: Definitions, templates: dict[str, Any]
) -> None:
    answers: Counter[str] = Counter()
    others = set()
    for name, template in templates.items():
        workflow = parse_workflow(json.dumps(template), where=name)
        conversion = try_convert(workflow, definitions)
        answer = held.post("/prompt", {"prompt": conversion.prompt}).json()
        if conversion.problems:
            # The server stops at the first class that it lacks; we have named them all.
            assert {p.code for p in conversion.problems} == {"unknown-node"}
            assert answer["error"]["type"] == "invalid_prompt"
            answers["a class is missing"] += 1
            continue
        answers["taken" if not answer["node_errors"] else "refused"] += 1
        needed = needed_values(workflow, definitions)
        for node, kind, value in refusals(conversion.prompt, answer):
            if kind in MISSING and (node, value) in needed:
                answers["a model or file is missing"] += 1
            else:
                others.add((name, node, kind))
    print(f"{len(templates)} templates: {dict(answers)}, others: {sorted(others)}")
    assert others == OUTDATED
    assert answers["taken"] + answers["refused"] + answers["a class is missing"] == len(templates)
    assert answers["taken"] > 10


def refusals(prompt: Prompt, answer: dict[str, Any]) -> Iterator[tuple[str, str, object]]:
    """Each error of `/prompt` as node, kind, and the value of the input that it is about."""
    for node, told in answer["node_errors"].items():
        for error in told["errors"]:
            yield node, error["type"], prompt[node]["inputs"].get(error["extra_info"].get("input_name"))


def needed_values(workflow: Workflow, definitions: Definitions) -> set[tuple[str, str]]:
    """The models and files that we say a workflow needs, by node."""
    needs = collect_requirements(workflow, definitions)
    return {(m.node, m.name) for m in needs.models} | {(f.node, f.name) for f in needs.files}


def test_the_catalog_of_the_source_is_what_the_server_lists(comfyui: ComfyUI) -> None:
    """The image's ComfyUI is the tree of the wheel that the example pins."""
    files = json.loads(comfyui.python(READ_SOURCE))
    read = class_types({path: text for path, text in files.items() if is_node_source(path)})
    listed = comfyui.get("/object_info")
    packs = {name for name, spec in listed.items() if spec["python_module"].startswith("custom_nodes")}
    print(f"{len(read)} types in the source, {len(listed)} listed, {len(packs)} of them of packs")
    assert read.keys() == listed.keys() - packs
    assert len(read) > 400


def test_the_catalog_of_a_pack_is_what_the_server_lists(comfyui: ComfyUI) -> None:
    folder = Path(__file__).parents[3] / "examples" / "packs" / "hello-card"
    read = class_types({p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.py")})
    listed = comfyui.get("/object_info")
    assert read.keys() == {n for n, s in listed.items() if s["python_module"] == "custom_nodes.hello-card"}
    assert read
