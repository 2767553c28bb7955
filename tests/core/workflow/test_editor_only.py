import json

from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.workflow.editor_only import make_notes
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow

DEFINITIONS = {
    "Make": {"input": {}, "output": ["IMAGE"], "output_name": ["IMAGE"]},
    "Show": {"input": {"required": {"image": ["IMAGE"]}}, "output": [], "output_node": True},
}


def workflow() -> Workflow:
    """An image is shown; and one that an unknown node passes on."""
    nodes = [
        {"id": 1, "type": "Make", "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1, 2]}]},
        {"id": 2, "type": "Show", "inputs": [{"name": "image", "type": "IMAGE", "link": 1}]},
        {
            "id": 3,
            "type": "Repeater",
            "inputs": [{"name": "a", "type": "*", "link": 2}],
            "outputs": [{"name": "b", "type": "*", "links": [3]}],
        },
        {"id": 4, "type": "Show", "inputs": [{"name": "image", "type": "IMAGE", "link": 3}]},
    ]
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 1, 0, 3, 0, "IMAGE"], [3, 3, 0, 4, 0, "*"]]
    return parse_workflow(json.dumps({"version": 0.4, "nodes": nodes, "links": links}).encode(), where="w")


def test_a_node_that_is_made_a_note_is_not_sent_and_passes_nothing_on() -> None:
    unchanged = try_convert(make_notes(workflow(), ()), DEFINITIONS)
    assert len(unchanged.problems) == 1 and "Repeater" in unchanged.problems[0].what
    conversion = try_convert(make_notes(workflow(), {"Repeater"}), DEFINITIONS)
    assert conversion.problems == () and set(conversion.prompt) == {"1", "2", "4"}
    assert conversion.prompt["2"]["inputs"] == {"image": ["1", 0]} and conversion.prompt["4"]["inputs"] == {}


def test_nodes_in_subgraphs_are_changed_too() -> None:
    inner = {"id": 7, "type": "Repeater"}
    subgraph = {"id": "s", "name": "s", "nodes": [inner], "links": [], "inputs": [], "outputs": []}
    data = {"version": 0.4, "nodes": [{"id": 1, "type": "s"}], "links": [], "definitions": {"subgraphs": [subgraph]}}
    changed = make_notes(parse_workflow(json.dumps(data).encode(), where="w"), {"Repeater"})
    assert [node.type for node in changed.subgraphs["s"].graph.nodes] == ["Note"]
    assert [node.type for node in changed.graph.nodes] == ["s"]
