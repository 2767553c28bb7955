import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.versions.git import BareRepository
from pycomfy.adapters.versions.remote import merge_text
from pycomfy.core.versions.merge import list_conflicts, merge
from pycomfy.core.versions.merge_nodes import parse_sides, settle_nodes
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadArgument, BadInput
from tests.support.service_projects import PROMPT, make_files, node


def graph_node(id_: int, value: object, link: int | None = None, links: list[int] | None = None) -> dict[str, Any]:
    inputs = [{"name": "image", "type": "IMAGE", "link": link}]
    outputs = [{"name": "IMAGE", "type": "IMAGE", "links": links}]
    return {"id": id_, "type": f"T{id_}", "inputs": inputs, "outputs": outputs, "widgets_values": [value]}


GRAPH: dict[str, Any] = {
    "last_node_id": 3,
    "last_link_id": 2,
    "nodes": [graph_node(1, 10, links=[1]), graph_node(2, 20, link=1, links=[2]), graph_node(3, 30, link=2)],
    "links": [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]],
    "version": 0.4,
}


def edited(values: dict[int, object]) -> dict[str, Any]:
    graph = deepcopy(GRAPH)
    for one in graph["nodes"]:
        one["widgets_values"] = [values.get(one["id"], one["widgets_values"][0])]
    return graph


def rewired(link: int) -> dict[str, Any]:
    """Node 3 takes from node 1, by a link of that number."""
    graph = deepcopy(GRAPH)
    graph["nodes"][2]["inputs"][0]["link"] = link
    graph["nodes"][0]["outputs"][0]["links"] = [1, link]
    graph["nodes"][1]["outputs"][0]["links"] = []
    graph["links"] = [GRAPH["links"][0], [link, 1, 0, 3, 0, "IMAGE"]]
    return {**graph, "last_link_id": link}


def project(graph: dict[str, Any]) -> dict[str, bytes]:
    files = make_files("hello")
    return {**files, "workflow.json": json.dumps(graph).encode()}


def settle(base: Any, ours: Any, theirs: Any, **sides: Any) -> list[dict[str, Any]]:
    chosen = parse_sides(f"{node.removeprefix('n')}={side}" for node, side in sides.items())
    three = settle_nodes(project(base), project(ours), project(theirs), chosen)
    return [json.loads(files["workflow.json"]) for files in three]


def values_of(graph: dict[str, Any]) -> dict[int, object]:
    return {one["id"]: one["widgets_values"][0] for one in graph["nodes"]}


def test_each_node_is_of_the_side_that_was_chosen_for_it(tmp_path: Path) -> None:
    ours, theirs = project(edited({1: 11, 2: 21, 3: 31})), project(edited({1: 12, 2: 22}))
    three = settle_nodes(project(GRAPH), ours, theirs, {"1": "ours", "2": "theirs"})
    assert list_conflicts(*three, ()) == []
    bare = BareRepository(tmp_path / "none")
    merged = merge(*three, lambda *texts: merge_text(bare, *texts))
    assert merged.conflicts == ()
    # What one side alone changed is that side's, as without a choice.
    assert values_of(json.loads(merged.files["workflow.json"])) == {1: 11, 2: 22, 3: 31}


def test_a_prompt_is_settled_as_its_workflow() -> None:
    def steps(number: int) -> dict[str, Any]:
        return {**PROMPT, "2": node("KSampler", steps=number), "5:2": node("Inner", steps=number)}

    base, ours, theirs = (make_files("hello", steps(number)) for number in (1, 2, 3))
    three = settle_nodes(base, ours, theirs, {"2": "theirs"})
    for files in three:
        for path in ("workflow.json", "prompt.json"):
            assert json.loads(files[path])["2"]["inputs"]["steps"] == 3
    assert [json.loads(files["prompt.json"])["5:2"]["inputs"]["steps"] for files in three] == [1, 2, 3]
    inner = settle_nodes(base, ours, theirs, {"abc/2": "ours"})
    assert [json.loads(files["prompt.json"])["5:2"]["inputs"]["steps"] for files in inner] == [2, 2, 2]
    assert [json.loads(files["prompt.json"])["2"]["inputs"]["steps"] for files in inner] == [1, 2, 3]


def test_inputs_and_outputs_of_the_interface_are_those_of_the_side() -> None:
    def interface(default: int, *names: str) -> dict[str, bytes]:
        inputs = [{"name": name, "targets": [{"node": name[-1], "input": "x"}], "default": default} for name in names]
        outputs = [{"name": "image", "node": "5", "title": str(default)}]
        return {"interface.json": json.dumps({"parameters": inputs, "outputs": outputs}).encode()}

    three = settle_nodes(
        interface(1, "a2", "b3"), interface(2, "a2", "b3"), interface(3, "c2", "b3"), {"2": "theirs", "5": "ours"}
    )
    for files, own in zip(three, (1, 2, 3), strict=True):
        found = json.loads(files["interface.json"])
        assert {one["name"]: one["default"] for one in found["parameters"]} == {"b3": own, "c2": 3}
        assert found["outputs"][0]["title"] == "2"


def test_a_node_comes_with_its_links_and_goes_with_them() -> None:
    before = [settle(GRAPH, edited({3: 31}), rewired(5), n3=side) for side in ("ours", "theirs")]
    assert [graph["links"] for graph in before[0]] == [GRAPH["links"]] * 3
    for graph in before[1]:
        assert graph["links"] == rewired(5)["links"] and graph["last_link_id"] == 5
        assert [one["outputs"][0]["links"] for one in graph["nodes"][:2]] == [[1, 5], []]
    gone = {**deepcopy(GRAPH), "nodes": GRAPH["nodes"][:1], "links": []}
    for graph in settle(GRAPH, edited({2: 21}), gone, n2="theirs")[:2]:
        assert [one["id"] for one in graph["nodes"]] == [1, 3] and graph["links"] == []
        assert graph["nodes"][1]["inputs"][0]["link"] is None
        parse_workflow(json.dumps(graph).encode(), where="merged")
    for graph in settle(GRAPH, edited({2: 21}), gone, n2="ours")[:2]:
        assert values_of(graph)[2] == 21


def test_links_that_have_the_numbers_of_others_are_refused() -> None:
    ours = rewired(5)
    theirs = deepcopy(GRAPH)
    theirs["links"] = [[5, 1, 0, 2, 0, "IMAGE"], GRAPH["links"][1]]
    with pytest.raises(BadInput, match="node 3 cannot be taken from one side alone"):
        settle(GRAPH, ours, theirs, n3="ours")


def test_a_node_in_a_subgraph_is_settled_there() -> None:
    def within(value: int) -> dict[str, Any]:
        inner = {"id": "abc", "nodes": [graph_node(1, value)], "links": []}
        return {**edited({1: 100 + value}), "definitions": {"subgraphs": [inner]}}

    graphs = settle(within(1), within(2), within(3), **{"abc/1": "theirs"})
    assert [values_of(graph["definitions"]["subgraphs"][0])[1] for graph in graphs] == [3, 3, 3]
    assert [values_of(graph)[1] for graph in graphs] == [101, 102, 103]


def test_what_is_no_workflow_stays_and_what_is_no_choice_is_refused() -> None:
    broken = {"workflow.json": b"[]", "prompt.json": b"{"}
    assert settle_nodes(broken, broken, broken, {"1": "ours"}).ours == broken
    strange = {"nodes": "x", "links": {"a": 1}}
    assert settle(strange, {"nodes": [7, {}]}, {"nodes": None}, n1="ours")
    assert parse_sides(["a=b=ours"]) == {"a=b": "ours"}
    for text in ("2", "=ours", "2=mine"):
        with pytest.raises(BadArgument):
            parse_sides([text])
