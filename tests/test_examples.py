"""The examples are read by the code that users' files are read by."""

import json
from pathlib import Path

from pycomfy.core.analysis.node_types import class_types
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.python.requirements import parse_requirements
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.workflow.parse import parse_workflow

EXAMPLES = Path(__file__).parents[1] / "examples"
PACK = EXAMPLES / "packs" / "hello-card"


def read_pack() -> dict[str, str]:
    return {path.name: path.read_text() for path in PACK.iterdir() if path.is_file()}


def test_the_pack_supplies_what_is_not_built_in() -> None:
    workflow = parse_workflow((EXAMPLES / "hello" / "workflow.json").read_bytes(), where="workflow.json")
    needed = {n.type for n in collect_requirements(workflow).nodes}
    assert needed - set(class_types(read_pack())) == {"ImageScaleBy", "SaveImage"}
    assert needed >= set(class_types(read_pack()))


def test_the_configuration_names_the_pack() -> None:
    config = parse_config((EXAMPLES / "hello" / "pycomfy.toml").read_text())
    assert isinstance(config.packs["hello-card"], GitSpec) and config.as_of is not None


def test_requirements_and_pyproject_of_the_pack_agree() -> None:
    files = read_pack()
    asked = parse_requirements("pack", files).requirements
    alone = parse_requirements("pack", {"pyproject.toml": files["pyproject.toml"]}).requirements
    assert [a.text for a in asked] == [a.text for a in alone] == ["segno>=1.6"]


def test_the_links_of_the_workflow_join_slots_that_exist() -> None:
    workflow = json.loads((EXAMPLES / "hello" / "workflow.json").read_text())
    nodes = {n["id"]: n for n in workflow["nodes"]}
    for id_, origin, out, target, slot, type_ in workflow["links"]:
        assert id_ in nodes[origin]["outputs"][out]["links"] and nodes[origin]["outputs"][out]["type"] == type_
        assert nodes[target]["inputs"][slot]["link"] == id_ and nodes[target]["inputs"][slot]["type"] == type_
    assert workflow["last_node_id"] == max(nodes) and workflow["last_link_id"] == len(workflow["links"])
