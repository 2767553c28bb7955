"""What the editor shows on each node, who sets it, and where its inputs come from."""

from typing import Any

from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.flatten import FlatNode
from pycomfy.core.prompt.link_resolution import Constant, Linked
from pycomfy.core.prompt.node_definitions import Definitions
from tests.support.graphs import OBJECT_INFO, Json, definition, linked, node, parsed, slot, subgraph, ui, widget

INFO: Json = {
    **OBJECT_INFO,
    "Seed": definition({"seed": ["INT"], "names": ["STRING"]}, outputs=["INT"]),
    "Number": definition(outputs=["INT"]),
}


def flat(workflow: Json) -> tuple[FlatWorkflow, dict[str, FlatNode]]:
    found = FlatWorkflow(parsed(workflow), Definitions(INFO))
    return found, {n.id: n for n in found.nodes}


def fed(source: Json) -> Json:
    """A node 1, of which the output 0 goes to the width of node 2."""
    return ui([source, node(2, "Blank", widget("width", 1), values=(3, 4))], [[1, 1, 0, 2, 0, "INT"]])


def in_host(**more: Any) -> Json:
    """The host 7 promotes the width of the node 5 inside; `more` is the host's."""
    inner = subgraph(
        "sg",
        [node(5, "Blank", widget("width", 80), values=(3, 4))],
        [[80, -10, 0, 5, 0, "INT"]],
        [slot("w", "INT", 80)],
        [],
    )
    return ui([node(7, "sg", widget("w", more.pop("link", None)), **more)], [], definitions={"subgraphs": [inner]})


def test_a_primitive_writes_into_the_widget_that_the_editor_shows() -> None:
    found, nodes = flat(fed(node(1, "PrimitiveNode", values=(7, "fixed"), outputs=["INT"])))
    assert found.displayed_values(nodes["2"]) == {"width": 7, "height": 4}
    assert found.displayed_values(nodes["1"]) == {"value": 7}
    assert found.widget_values(nodes["2"]) == {"width": 3, "height": 4}
    assert found.constants(nodes["2"]) == {"width": 7, "height": 4}
    assert found.owners(nodes["2"]) == {"width": ("1", "value"), "height": ("2", "height")}
    assert found.linked_sources(nodes["2"]) == {"width": Constant(7, "1", "value")}


def test_a_host_writes_into_the_prompt_alone() -> None:
    found, nodes = flat(in_host(values=(9,)))
    assert found.displayed_values(nodes["7:5"]) == {"width": 3, "height": 4}
    assert found.displayed_values(nodes["7"]) == {"w": 9}
    assert found.inputs(nodes["7:5"]) == found.constants(nodes["7:5"]) == {"width": 9, "height": 4}
    assert found.owners(nodes["7:5"]) == {"width": ("7", "w"), "height": ("7:5", "height")}
    assert found.hosts == {"7"}


def test_a_host_without_values_of_its_own_shows_those_inside() -> None:
    found, nodes = flat(in_host())
    assert found.displayed_values(nodes["7"]) == {"w": 3}


def test_a_host_around_a_host_sets_its_inputs_and_nothing_else() -> None:
    inner = in_host()["definitions"]["subgraphs"][0]
    outer = subgraph("outer", [node(7, "sg")], [], [], [])
    host = node(8, "outer", values=(9, 1), properties={"proxyWidgets": [["7", "w"], ["7", "depth"]]})
    found, nodes = flat(ui([host], [], definitions={"subgraphs": [inner, outer]}))
    assert found.inputs(nodes["8:7:5"]) == {"width": 9, "height": 4}
    assert list(found.unknown_promotions(nodes["8:7"])) == [Constant(1, "8", "depth")]


def test_what_a_host_sets_without_a_link_is_shown_on_the_node_inside() -> None:
    inner = subgraph("sg", [node(5, "Blank", values=(3, 4))], [], [], [])
    host = node(7, "sg", values=(9, 1), properties={"proxyWidgets": [["5", "height"], ["5", "depth"]]})
    found, nodes = flat(ui([host], [], definitions={"subgraphs": [inner]}))
    assert found.displayed_values(nodes["7:5"]) == {"width": 3, "height": 9, "depth": 1}
    assert found.widget_values(nodes["7:5"]) == {"width": 3, "height": 9}
    assert found.owners(nodes["7:5"]) == {
        "width": ("7:5", "width"),
        "height": ("7", "height"),
        "depth": ("7", "depth"),
    }
    assert list(found.unknown_promotions(nodes["7:5"])) == [Constant(1, "7", "depth")]


def test_a_linked_input_has_no_owner_and_no_constant_but_is_shown() -> None:
    found, nodes = flat(fed(node(1, "Number")))
    assert found.owners(nodes["2"]) == {"height": ("2", "height")}
    assert found.constants(nodes["2"]) == {"height": 4}
    assert found.displayed_values(nodes["2"]) == {"width": 3, "height": 4}
    assert found.linked_sources(nodes["2"]) == {"width": Linked("1", 0)}


def test_a_control_is_shown_and_neither_sent_nor_owned() -> None:
    found, nodes = flat(ui([node(1, "Seed", values=(5, "fixed", ["a"]))], []))
    assert found.displayed_values(nodes["1"]) == {"seed": 5, "control_after_generate": "fixed", "names": ["a"]}
    assert found.inputs(nodes["1"]) == {"seed": 5, "names": {"__value__": ["a"]}}
    assert found.owners(nodes["1"]) == {"seed": ("1", "seed"), "names": ("1", "names")}


def test_a_cycle_and_a_broken_link_leave_a_node_its_own_values() -> None:
    workflow = ui(
        [
            node(1, "Reroute", linked("", 2)),
            node(2, "Blank", widget("width", 1), widget("height", 3), values=(3, 4)),
        ],
        [[1, 1, 0, 2, 0, "INT"], [2, 1, 0, 1, 0, "INT"], [3, 9, 0, 2, 1, "INT"]],
    )
    found, nodes = flat(workflow)
    assert found.linked_sources(nodes["2"]) == {}
    assert found.constants(nodes["2"]) == {"width": 3, "height": 4}


def test_inputs_after_one_that_is_unlinked_or_in_a_cycle_have_their_sources() -> None:
    info = {**INFO, "Three": definition({n: ["INT"] for n in ("a", "b", "c")})}
    workflow = ui(
        [
            node(1, "Reroute", linked("", 2)),
            node(2, "Three", widget("a"), widget("b", 1), widget("c", 3), values=(3, 4, 5)),
            node(4, "Number", outputs=["INT"]),
        ],
        [[1, 1, 0, 2, 1, "INT"], [2, 1, 0, 1, 0, "INT"], [3, 4, 0, 2, 2, "INT"]],
    )
    found = FlatWorkflow(parsed(workflow), Definitions(info))
    three = next(n for n in found.nodes if n.id == "2")
    assert found.linked_sources(three) == {"c": Linked("4", 0)}


def test_a_primitive_into_a_socket_sets_nothing_but_on_a_node_of_an_unknown_type_it_may() -> None:
    workflow = ui(
        [
            node(1, "PrimitiveNode", values=(7, "fixed"), outputs=["INT"]),
            node(2, "Decode", linked("latent", 1)),
            node(3, "Unknown", linked("x", 2)),
        ],
        [[1, 1, 0, 2, 0, "INT"], [2, 1, 0, 3, 0, "INT"]],
    )
    found, nodes = flat(workflow)
    assert found.inputs(nodes["2"]) == {} and found.inputs(nodes["3"]) == {"x": 7}


def test_a_title_is_the_node_s_own_else_its_type_s_and_of_an_unknown_type_the_type() -> None:
    found, nodes = flat(ui([node(1, "Load"), node(2, "Load", title="Mine"), node(3, "Unknown")], []))
    assert [found.title(nodes[i]) for i in "123"] == ["Load It", "Mine", "Unknown"]
