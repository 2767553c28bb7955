"""Signatures of nodes, and what they returned."""

import copy

from pycomfy.gateway.jobs.model import Output
from pycomfy.gateway.jobs.remembered import MOST, Remembered, sign_nodes

GRAPH = {
    "1": {"class_type": "Load", "inputs": {"name": "a"}},
    "2": {"class_type": "Save", "inputs": {"image": ["1", 0], "prefix": "x"}},
    "3": {"class_type": "Save", "inputs": {"image": ["1", 1], "prefix": "x"}},
}


def test_the_same_work_has_the_same_signature_under_other_ids() -> None:
    other = {
        "a": {"class_type": "Save", "inputs": {"image": ["b", 0], "prefix": "x"}, "_meta": {"title": "mine"}},
        "b": {"class_type": "Load", "inputs": {"name": "a"}},
    }
    assert sign_nodes(other) == {"a": sign_nodes(GRAPH)["2"], "b": sign_nodes(GRAPH)["1"]}


def test_a_value_before_a_node_changes_its_signature_and_another_slot_does() -> None:
    signed = sign_nodes(GRAPH)
    changed = copy.deepcopy(GRAPH)
    changed["1"]["inputs"] = {"name": "b"}
    assert len({*signed.values(), *sign_nodes(changed).values()}) == 6


def test_nodes_in_a_circle_or_of_no_form_have_none_or_some() -> None:
    circle = {"1": {"class_type": "A", "inputs": {"x": ["2", 0]}}, "2": {"class_type": "A", "inputs": {"x": ["1", 0]}}}
    assert sign_nodes(circle) == {}
    assert set(sign_nodes({"1": None, "2": {"inputs": [1]}, "3": {"inputs": {"x": ["9", 0]}}})) == {"1", "2", "3"}


def test_nodes_in_the_worst_order_are_signed_in_one_pass() -> None:
    links = {str(n): {"class_type": "A", "inputs": {"x": [str(n + 1), 0]}} for n in range(10_000)}
    assert len(sign_nodes({**links, "10000": {"class_type": "A", "inputs": {}}})) == 10_001


def outputs(number: int) -> tuple[Output, ...]:
    about = {"node": "1", "kind": "images", "type": "image", "content_type": "image/png", "size": 1}
    return tuple(Output.model_validate({**about, "name": f"{n}.png", "asset": str(n)}) for n in range(number))


def test_so_many_outputs_are_remembered_whatever_the_number_of_their_nodes() -> None:
    remembered = Remembered()
    third = outputs(MOST // 3)
    for node in "abc":
        remembered.note("0", node, third)
    assert remembered.find("0", "a") == third, "it was used last"
    remembered.note("0", "d", third)
    assert [len(remembered.find("0", node)) for node in "abcd"] == [len(third), 0, len(third), len(third)]
    for _ in range(3):
        remembered.note("0", "a", third)  # once more is no more
    assert remembered.find("0", "c") == third
    remembered.note("0", "e", outputs(MOST + 1))
    assert [len(remembered.find("0", node)) for node in "acde"] == [0, 0, 0, MOST + 1], "the last one is, in any case"
    remembered.note("0", "f", outputs(1))
    assert [len(remembered.find("0", node)) for node in "ef"] == [0, 1]
