"""Which graphs a gateway takes."""

import copy
from typing import Any

import pytest

from pycomfy.gateway.graph.policy import EditorFormat, Policy, find_problems

OWN: dict[str, Any] = {
    "1": {"class_type": "Text", "inputs": {"text": "a cat", "seed": 1}},
    "2": {"class_type": "Save", "inputs": {"text": ["1", 0], "name": "x"}},
}
TYPES: dict[str, Any] = {
    "Text": {"input": {"required": {"text": ["STRING", {}]}, "optional": {"seed": ["INT", {}]}}, "output_node": False},
    "Save": {"input": {"required": {"text": ["STRING", {}]}}, "output_node": True},
    "ReadFile": {"input": {"required": {"path": ["STRING", {}]}}, "output_node": True},
}


def reasons(graph: dict[str, Any], policy: Policy = "fixed", types: dict[str, Any] | None = TYPES) -> list[str]:
    return [p.reason for p in find_problems(graph, policy=policy, own=OWN, node_types=types)]


def changed(**nodes: Any) -> dict[str, Any]:
    graph = copy.deepcopy(OWN)
    for node, inputs in nodes.items():
        graph[node.strip("_")]["inputs"].update(inputs)
    return graph


@pytest.mark.parametrize("policy", ["fixed", "nodes", "any"])
def test_the_own_graph_with_other_values_is_taken(policy: Policy) -> None:
    assert reasons(changed(_1={"text": "a dog", "seed": 2}), policy) == []


@pytest.mark.parametrize("policy", ["fixed", "nodes"])
def test_a_node_type_that_the_workflow_does_not_use_is_refused(policy: Policy) -> None:
    graph = {**OWN, "3": {"class_type": "ReadFile", "inputs": {"path": "/etc/passwd"}}}
    assert reasons(graph, policy) == ["node_not_allowed" if policy == "fixed" else "node_type_not_allowed"]
    assert reasons(graph, "any") == []


def test_fixed_takes_no_other_type_under_a_known_id() -> None:
    graph = {**OWN, "2": {"class_type": "ReadFile", "inputs": {"path": "/x"}}}
    assert reasons(graph) == ["node_type_not_allowed"]


def test_fixed_takes_no_other_links() -> None:
    assert reasons(changed(_2={"text": ["1", 1]})) == ["link_not_allowed"]
    assert reasons(changed(_2={"text": "no link"})) == ["link_not_allowed"]
    assert reasons(changed(_2={"name": ["1", 0]})) == ["link_not_allowed"]


def test_fixed_takes_neither_more_nor_fewer_inputs_or_nodes() -> None:
    assert reasons(changed(_2={"more": 1})) == ["input_not_allowed"]
    fewer = copy.deepcopy(OWN)
    del fewer["1"]["inputs"]["seed"]
    assert reasons(fewer) == ["missing_input"]
    without = {"2": {"class_type": "Save", "inputs": {"text": "x", "name": "x"}}}
    assert "node_missing" in reasons(without)


def test_nodes_takes_another_arrangement_of_its_types() -> None:
    graph = {"a": {"class_type": "Save", "inputs": {"text": "x"}}, "b": {"class_type": "Save", "inputs": {"text": "y"}}}
    assert reasons(graph, "nodes") == []


@pytest.mark.parametrize("node", [None, [], "x", {}, {"class_type": 7}, {"class_type": "Save", "inputs": []}])
def test_what_is_no_node_is_malformed(node: Any) -> None:
    assert reasons({"1": node}, "any")[0] == "malformed"


def test_links_to_nowhere_unknown_types_and_missing_inputs_are_told_with_their_node() -> None:
    graph = {
        "1": {"class_type": "Nope", "inputs": {}},
        "2": {"class_type": "Save", "inputs": {"text": ["9", 0]}},
        "3": {"class_type": "Save", "inputs": {}},
    }
    found = find_problems(graph, policy="any", own=None, node_types=TYPES)
    assert [(p.node, p.field, p.reason) for p in found] == [
        ("1", "", "unknown_node_type"),
        ("2", "text", "dangling_link"),
        ("3", "text", "missing_input"),
    ]


def test_a_graph_that_returns_nothing_is_refused() -> None:
    assert reasons({"1": {"class_type": "Text", "inputs": {"text": "x"}}}, "any") == ["no_outputs"]
    assert reasons({}, "any") == ["empty", "no_outputs"]


def test_types_are_not_asked_while_they_are_unknown() -> None:
    assert reasons({"1": {"class_type": "Nope", "inputs": {}}}, "any", None) == []


def test_a_workflow_of_the_editor_is_named_as_such() -> None:
    with pytest.raises(EditorFormat):
        reasons({"nodes": [], "links": []})


def test_a_graph_of_too_many_faults_tells_a_bounded_number() -> None:
    assert len(reasons({str(i): None for i in range(5000)}, "any")) == 100
    assert reasons({str(i): {"class_type": "Save", "inputs": {}} for i in range(10_001)}, "any") == ["too_many_nodes"]


@pytest.mark.parametrize("policy", ["fixed", "nodes", "any"])
@pytest.mark.parametrize(
    "value",
    [["2", 0.0], ["2", 1.5], ["2", True], {"__value__": ["2", 0]}, {"__value__": {"__value__": ["2", 0]}, "x": 1}],
)
def test_no_value_passes_for_a_link(policy: Policy, value: Any) -> None:
    """ComfyUI takes any number for a slot, and unwraps a value before it looks for links again."""
    assert reasons(changed(_1={"text": value}), policy) == ["malformed"]


@pytest.mark.parametrize(
    "value", [{"__value__": ["a", "b"]}, {"__value__": []}, ["a", "b"], ["a", 1, 2], {"a": ["2", 0]}]
)
def test_a_list_that_is_no_link_is_a_value(value: Any) -> None:
    assert reasons(changed(_1={"text": value})) == []
