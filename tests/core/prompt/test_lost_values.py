"""What a workflow has and its prompt does not is told, with node and value; what the editor drops by design is not."""

from typing import Any

import pytest

from pycomfy.core.prompt.convert import convert, try_convert
from pycomfy.core.prompt.lost_values import LostValue, list_unused, refuse_lost
from tests.support.graphs import (
    OBJECT_INFO,
    Json,
    chain,
    definition,
    linked,
    node,
    parsed,
    plain,
    slot,
    subgraph,
    ui,
    widget,
)

INFO = {
    **OBJECT_INFO,
    "Sum": definition({"a": ["INT", {}], "b": ["INT", {"forceInput": True}]}, outputs=["INT"], python_module="nodes"),
    "Player": definition({"audio": [["a.wav"], {"audio_upload": True}]}),
    "Encode": definition({"format": [["gif", "mp4"], {"formats": {"mp4": [["crf", "INT", {"default": 19}]]}}]}),
    "PreviewAny": definition({"source": ["*"]}, python_module="comfy_extras.nodes_preview_any"),
    "ShowText|pysssss": definition({"text": ["STRING", {"forceInput": True}]}),
}


def lost(workflow: Json) -> tuple[LostValue, ...]:
    return try_convert(parsed(workflow), INFO).lost


def places(workflow: Json) -> list[str]:
    return [one.place for one in lost(workflow)]


def saved(type_: str, values: object, **more: Any) -> Json:
    return ui([node(1, type_, values=values, **more)], [])


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        (saved("Blank", (1, 2, 3, "more")), [("1[2]", 3), ("1[3]", "more")]),
        (saved("Blank", {"width": 1, "depth": 3}), [("1.depth", 3)]),
        (saved("Blank", (1, 2), widgets_values_named={"width": 1, "depth": 3}), [("1.depth", 3)]),
        (saved("Encode", {"format": "webm", "crf": 3}), [("1.crf", 3)]),
        (saved("Sum", (1, 2, 3)), [("1[1]", 2), ("1[2]", 3)]),
    ],
    ids=["by position", "by name", "by name beside a list", "of no choice", "more than widgets and forced inputs"],
)
def test_a_value_without_a_widget_is_lost(workflow: Json, expected: list[tuple[str, object]]) -> None:
    assert [(one.place, one.value) for one in lost(workflow)] == expected


@pytest.mark.parametrize(
    "workflow",
    [
        plain(),
        saved("Sample", (7, "randomize", 30, "heun")),
        saved("Photo", ("x.png", "image")),
        saved("Player", ("a.wav", "upload", None)),
        saved("Sum", (1, 2)),
        saved("Blank", (1, 2, None, "")),
        saved("Sample", {"seed": 7, "fixed": "fixed", "control_after_generate": "fixed", "$$preview": "a"}),
        saved("Encode", {"format": "mp4", "crf": 3}),
        saved("Encode", {"format": "gif", "crf": 3}),
        saved("PreviewAny", ("shown",)),
        saved("ShowText|pysssss", ("shown", ["shown"])),
        saved("Blank", (1, 2, "Status: Completed\nPrice: $0.1")),
        saved("Blank", (1, 2, "/view?filename=a.gif&type=temp")),
        saved("Blank", (1, 2, 3), mode=2),
        saved("Blank", (1, 2, 3), mode=4),
        saved("Unknown", (1, 2, 3)),
        saved("Note", ("text", 5)),
    ],
    ids=lambda w: str(w["nodes"][0]["type"]),
)
def test_what_the_editor_drops_by_design_is_not_lost(workflow: Json) -> None:
    assert places(workflow) == []


def test_a_link_to_an_input_that_the_node_lacks_is_lost() -> None:
    two = [node(1, "Blank"), node(2, "Decode", linked("latent", 1))]
    assert places(ui(two, [[1, 1, 0, 2, 0, "LATENT"], [2, 1, 0, 2, 7, "LATENT"]])) == ["2.inputs[7]"]
    newer = [node(1, "Blank"), node(2, "Sum", linked("new", 1))]
    assert places(ui(newer, [[1, 1, 0, 2, 0, "LATENT"]])) == ["2.new"]
    renamed = [node(1, "Blank"), node(2, "Blank", widget("depth", 1))]
    workflow = ui(renamed, [[1, 1, 0, 2, 0, "INT"]])
    assert places(workflow) == ["2.depth"]
    assert try_convert(parsed(workflow), INFO).prompt["2"]["inputs"] == {"width": 512, "height": 512}


def test_a_link_that_another_replaced_is_not_lost() -> None:
    two = [node(1, "Blank"), node(2, "Decode", linked("latent", 2))]
    assert places(ui(two, [[1, 1, 0, 2, 0, "LATENT"], [2, 1, 0, 2, 0, "LATENT"]])) == []


def test_a_link_that_the_table_lacks_or_that_comes_from_no_node_is_lost() -> None:
    assert places(ui([node(2, "Decode", linked("latent", 5))], [])) == ["2.latent"]
    assert places(ui([node(2, "Decode", linked("latent", 5))], [[5, 1, 0, 2, 0, "LATENT"]])) == ["2.latent"]


def test_a_link_through_what_exists_in_the_editor_only_is_lost_where_it_ends() -> None:
    getter = node(2, "GetNode", values=("name",), outputs=["IMAGE"])
    assert places(chain(getter, links=[[9, 2, 0, 9, 0, "IMAGE"]])) == ["9.images"]
    setter = node(3, "SetNode", linked("IMAGE", 8), values=("name",))
    assert places(chain(getter, setter, links=[[8, 1, 0, 3, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]])) == []
    repeater = node(2, "Mute / Bypass Repeater (rgthree)", outputs=["*"])
    assert places(chain(repeater, links=[[9, 2, 0, 9, 0, "*"]])) == ["9.images"]


@pytest.mark.parametrize("mode", [2, 4])
def test_a_link_from_a_node_that_is_off_is_not_lost(mode: int) -> None:
    off = node(2, "Load", outputs=["MODEL", "TEXTER"], mode=mode)
    assert places(chain(off, links=[[9, 2, 0, 9, 0, "MODEL"]])) == []


def test_a_primitive_into_a_socket_is_lost() -> None:
    two = [node(1, "PrimitiveNode", values=(5, "fixed"), outputs=["INT"]), node(2, "Sum", linked("b", 1), values=(1,))]
    assert places(ui(two, [[1, 1, 0, 2, 0, "INT"]])) == ["2.b"]


def test_values_of_a_host_without_a_promoted_widget_are_lost() -> None:
    inner = node(1, "Blank", {"name": "width", "type": "INT", "link": 1, "widget": {"name": "width"}})
    part = subgraph("s", [inner], [[1, -10, 0, 1, 0, "INT"]], [slot("width", "INT", 1)], [])
    part["nodes"].append(node(3, "Blank"))

    def host(values: object, **more: Any) -> Json:
        return ui([node(2, "s", linked("width", None), values=values, **more)], [], definitions={"subgraphs": [part]})

    assert places(host((640,))) == []
    assert places(host((640, 5))) == ["2[1]"]
    assert places(host((), widgets_values_named={"width": 640, "depth": 5})) == ["2.depth"]
    assert places(host((1, 2), properties={"proxyWidgets": [["1", "width"], ["3", "height"]]})) == []
    assert places(host((1, 2), properties={"proxyWidgets": [["1", "width"], ["3", "depth"]]})) == ["2.depth"]
    assert places(host((640, 5), mode=2)) == []


def test_values_of_a_group_node_that_no_widget_takes_are_lost() -> None:
    group = {"nodes": [node(0, "Blank")], "links": [], "external": []}
    workflow = ui([node(2, "workflow>G", values=(1, 2, 3))], [], extra={"groupNodes": {"G": group}})
    assert places(workflow) == ["2[2]"]


def test_a_conversion_remarks_on_what_is_lost_and_has_a_prompt() -> None:
    remarks: list[str] = []
    prompt = convert(parsed(saved("Blank", {"width": 5, "depth": 7})), INFO, remarks.append)
    assert prompt["1"]["inputs"] == {"width": 5, "height": 512}
    assert remarks == [
        "warning: 1.depth (Blank): the saved value 7 has no place in the prompt: the node type has no such widget"
    ]


def test_a_problem_names_the_node_its_type_and_the_value() -> None:
    (problem,) = refuse_lost(lost(saved("Blank", {"depth": 3})), (), "here.json")
    assert (
        problem.what
        == "1.depth (Blank): the saved value 3 has no place in the prompt: the node type has no such widget"
    )
    assert (problem.code, problem.where) == ("lost-value", "here.json")


def test_a_value_is_told_as_it_is_written_and_cut_after_60_characters() -> None:
    def told(value: object) -> str:
        (one,) = lost(saved("Blank", {"depth": value}))
        return str(one).partition(" has no place")[0]

    assert told("Grüße") == '1.depth (Blank): the saved value "Grüße"'
    assert told("x" * 58) == f'1.depth (Blank): the saved value "{"x" * 58}"'
    assert told("x" * 59) == f'1.depth (Blank): the saved value "{"x" * 59}…'


def test_the_last_problem_has_the_line_that_acknowledges_all_beside_what_was_acknowledged() -> None:
    found = lost(ui([node(1, "Blank", values=(1, 2, 3)), node(2, "Blank", values={"a": 1, "b": 2})], []))
    first, last = refuse_lost(found, ("2.a", "gone"), "here.json")
    assert first.fixes == ()
    assert 'below [accept] in pycomfy.toml: lost-values = ["2.a", "1[2]", "2.b"]' in last.fix


def test_what_another_prompt_has_is_not_lost_there() -> None:
    named, placed = lost(ui([node(1, "Blank", values={"a": 1}), node(2, "Blank", values=(1, 2, 3))], []))
    prompt = {"1": {"class_type": "Blank", "inputs": {"a": 1}}, "2": {"class_type": "Blank", "inputs": {}}}
    assert (named.is_in(prompt), placed.is_in(prompt), named.is_in({})) == (True, False, False)


def test_what_is_acknowledged_by_place_or_by_node_is_no_problem() -> None:
    found = lost(ui([node(1, "Blank", values=(1, 2, 3)), node(2, "Blank", values={"a": 1, "b": 2})], []))
    assert refuse_lost(found, ("1[2]", "2"), "here.json") == ()
    assert list_unused(found, ("1[2]", "2", "2.a", "3", "1[3]")) == ("3", "1[3]")


def test_each_link_that_has_no_place_is_told_with_the_reason() -> None:
    workflow = ui(
        [
            node(1, "Sum", outputs=["INT"]),
            node(2, "Sum", linked("a", 1), linked("b", 7), linked("c", 2), linked("d", 3)),
        ],
        [[1, 1, 0, 2, 0, "INT"], [2, 1, 0, 2, 2, "INT"], [3, 1, 0, 2, 3, "INT"], [4, 1, 0, 2, 9, "INT"]],
    )
    assert [(one.place, one.why) for one in lost(workflow)] == [
        ("2.inputs[9]", "the node has no such input"),
        ("2.b", "the table of links lacks it"),
        ("2.c", "the node type has no such input"),
        ("2.d", "the node type has no such input"),
    ]
