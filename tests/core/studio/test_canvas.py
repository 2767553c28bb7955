"""What the studio draws: the editor's places, or columns where a file has none."""

import json
from typing import Any

import pytest

from pycomfy.core.studio.canvas import COLUMN, Canvas, read_canvases
from pycomfy.core.workflow.parse import find_graph, parse_workflow


def draw(workflow: object) -> tuple[Canvas, ...]:
    data = json.dumps(workflow).encode()
    return read_canvases(parse_workflow(data, where="test"), find_graph(data, where="test"))


def node(id_: int, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "KSampler", "pos": [10, 20], "size": [200, 100], **more}


def ui(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), "links": [], "version": 0.4, **more}


def test_nodes_are_where_the_editor_has_them() -> None:
    (canvas,) = draw(ui(node(1, title="A", color="#ABC", mode=4, flags={"collapsed": True})))
    (drawn,) = canvas.nodes
    assert (drawn.x, drawn.y, drawn.width, drawn.height) == (10, 20, 200, 100)
    assert (drawn.title, drawn.color, drawn.mode, drawn.collapsed) == ("A", "#aabbcc", "bypassed", True)


def test_places_that_typed_arrays_became_are_read() -> None:
    (canvas,) = draw(ui(node(1, pos={"0": 3, "1": 4}, size={"0": 300, "1": 50})))
    assert (canvas.nodes[0].x, canvas.nodes[0].y, canvas.nodes[0].width) == (3, 4, 300)


@pytest.mark.parametrize("place", [None, "x", [], [1], {}, [None, 2], [1e400, 2], {"0": 1}])
def test_a_place_that_makes_no_sense_is_the_origin(place: object) -> None:
    (canvas,) = draw(ui(node(1, pos=place)))
    assert (canvas.nodes[0].x, canvas.nodes[0].y) == (0, 0)


@pytest.mark.parametrize("color", ["red", "url(x)", "#12345", "#gggggg", 7, "#fff;background:url(x)"])
def test_what_is_no_colour_goes_into_no_page(color: object) -> None:
    (canvas,) = draw(ui(node(1, color=color), groups=[{"title": "G", "bounding": [0, 0, 9, 9], "color": color}]))
    assert (canvas.nodes[0].color, canvas.groups[0].color) == (None, None)


def test_a_link_to_a_node_that_is_gone_is_not_drawn() -> None:
    (canvas,) = draw(ui(node(1), node(2), links=[[7, 1, 0, 2, 0, "LATENT"], [8, 1, 0, 9, 0, "LATENT"]]))
    assert [link.id for link in canvas.links] == ["7"]


def test_values_are_named_by_the_inputs_that_stand_for_them() -> None:
    inputs = [
        {"name": "model", "type": "MODEL", "link": None},
        {"name": "seed", "type": "INT", "link": None, "widget": {"name": "seed"}},
        {"name": "steps", "type": "INT", "link": 3, "widget": {"name": "steps"}},
    ]
    (canvas,) = draw(ui(node(1, inputs=inputs, widgets_values=[7, "randomize", 20, "more"])))
    values = [(value.name, value.text) for value in canvas.nodes[0].values]
    assert values == [("seed", "7"), ("control after generate", "randomize"), ("steps", "20"), ("", "more")]
    assert [(slot.widget, slot.linked) for slot in canvas.nodes[0].inputs] == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_subgraphs_are_graphs_of_their_own() -> None:
    inner = {"id": "sub-1", "name": "Upscale", "nodes": [node(5, pos=[50, 60])], "links": []}
    outer, found = draw(ui(node(1, type="sub-1"), definitions={"subgraphs": [inner]}))
    assert outer.nodes[0].subgraph == "sub-1"
    assert (found.id, found.name, found.nodes[0].x) == ("sub-1", "Upscale", 50)


def test_nodes_without_places_are_in_columns_right_of_what_they_take_from() -> None:
    api = {
        "3": {"class_type": "Save", "inputs": {"images": ["2", 0], "name": "x"}},
        "2": {"class_type": "Scale", "inputs": {"image": ["1", 1], "by": 0.5}},
        "1": {"class_type": "Load", "inputs": {}},
    }
    (canvas,) = draw(api)
    assert {node.id: node.x / COLUMN for node in canvas.nodes} == {"1": 0, "2": 1, "3": 2}
    assert [(link.source, link.source_slot, link.target) for link in canvas.links] == [("2", 0, "3"), ("1", 1, "2")]
    assert [(value.name, value.text) for value in canvas.nodes[0].values] == [("name", "x")]


def test_a_circle_and_a_long_chain_are_drawn() -> None:
    circle = {"1": {"class_type": "A", "inputs": {"x": ["2", 0]}}, "2": {"class_type": "A", "inputs": {"x": ["1", 0]}}}
    assert len(draw(circle)[0].nodes) == 2
    chain = {str(n): {"class_type": "A", "inputs": {"x": [str(n + 1), 0]} if n < 3000 else {}} for n in range(3001)}
    assert max(node.x for node in draw(chain)[0].nodes) == 3000 * COLUMN
