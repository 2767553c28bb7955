"""Values of nodes: what each can be, and the workflow's JSON with others."""

import json
from typing import Any

import pytest

from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.studio.values import ChangedValue, ValueChange, change_values, list_node_values
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import PycomfyError

DEFINITIONS = Definitions(
    {
        "KSampler": {
            "input": {
                "required": {
                    "model": ["MODEL"],
                    "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}],
                    "steps": ["INT", {"default": 20, "min": 1, "max": 100}],
                    "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1}],
                    "sampler_name": [["euler", "dpmpp_2m"]],
                    "tiled": ["BOOLEAN", {"default": False}],
                    "note": ["STRING", {"multiline": True}],
                }
            },
            "output": ["LATENT"],
        },
        "CheckpointLoaderSimple": {
            "input": {"required": {"ckpt_name": [["a.safetensors"]]}},
            "output": ["MODEL", "CLIP", "VAE"],
        },
    }
)
SEED = 2**64 - 1
VALUES = [SEED, "fixed", 20, 8, "euler", False, "a\nb"]


def sampler(values: Any = VALUES, **more: Any) -> dict[str, Any]:
    return {"id": 3, "type": "KSampler", "title": "Sample", "widgets_values": values, **more}


def ui(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), "links": [], "version": 0.4, **more}


def change(root: dict[str, Any], *changes: tuple[str, str], graph: str = "", node: str = "3") -> Any:
    workflow = parse_workflow(json.dumps(root), where="w.json")
    wanted = [ValueChange(graph, node, key, text) for key, text in changes]
    return change_values(workflow, root, wanted, DEFINITIONS)


def values(root: dict[str, Any], node: str = "3", graph: str = "", definitions: Definitions = DEFINITIONS) -> Any:
    return list_node_values(parse_workflow(json.dumps(root), where="w.json"), graph, node, definitions)


def test_a_known_node_has_the_types_bounds_and_choices_of_its_definition() -> None:
    found = values(ui(sampler()))
    assert [(one.key, one.name, one.kind) for one in found] == [
        ("0", "seed", "integer"),
        ("1", "control_after_generate", "choice"),
        ("2", "steps", "integer"),
        ("3", "cfg", "number"),
        ("4", "sampler_name", "choice"),
        ("5", "tiled", "boolean"),
        ("6", "note", "text"),
    ]
    assert found[0].text == str(SEED) and (found[2].minimum, found[2].maximum) == (1, 100)
    assert found[4].choices == ("euler", "dpmpp_2m") and found[6].multiline


def test_an_unknown_node_has_the_types_that_its_file_has() -> None:
    found = values(ui(sampler(["a", 1, 1.5, True, None, {"a": 1}])), definitions=Definitions({}))
    assert [one.kind for one in found] == ["text", "integer", "number", "boolean", None, None]
    assert all(one.why for one in found if one.kind is None)


def test_a_value_that_a_link_gives_cannot_be_changed() -> None:
    root = ui(sampler(inputs=[{"name": "steps", "type": "INT", "link": 1, "widget": {"name": "steps"}}]))
    root["links"] = [[1, 9, 0, 3, 0, "INT"]]
    root["nodes"].append({"id": 9, "type": "PrimitiveNode", "outputs": [{"name": "INT", "type": "INT", "links": [1]}]})
    assert [one.why != "" for one in values(root)] == [False, False, True, False, False, False, False]
    with pytest.raises(PycomfyError, match="cannot be changed"):
        change(root, ("2", "5"))


def test_the_names_of_models_are_suggestions_and_others_may_be_given() -> None:
    root = ui({"id": 3, "type": "CheckpointLoaderSimple", "widgets_values": ["b.safetensors"]})
    assert [(one.kind, one.choices) for one in values(root)] == [("text", ("a.safetensors",))]
    changed, _ = change(root, ("0", "c.safetensors"))
    assert changed["nodes"][0]["widgets_values"] == ["c.safetensors"]


def test_values_are_changed_with_their_types_and_all_else_stays() -> None:
    root = ui(sampler(), extra={"ds": {"scale": 1.0}}, groups=[{"title": "x"}])
    before = json.dumps(root)
    changed, found = change(root, ("0", str(SEED - 1)), ("3", "7.50"), ("4", "dpmpp_2m"), ("5", "true"), ("6", "c"))
    assert changed["nodes"][0]["widgets_values"] == [SEED - 1, "fixed", 20, 7.5, "dpmpp_2m", True, "c"]
    assert found[1] == ChangedValue("", "3", "Sample", "cfg", "8", "7.5") and len(found) == 5
    assert json.dumps(root) == before and json.dumps({**changed, "nodes": root["nodes"]}) == before


def test_a_value_that_is_given_as_it_was_is_no_change() -> None:
    assert change(ui(sampler()), ("2", "20"), ("6", "a\nb"))[1] == ()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("2", "0"),
        ("2", "101"),
        ("2", "2.5"),
        ("2", "true"),
        ("2", ""),
        ("2", "1" * 5000),
        ("3", "NaN"),
        ("3", "1e999"),
        ("3", "-1"),
        ("4", "eular"),
        ("5", "yes"),
        ("6", "x" * 100_001),
        ("7", "x"),
        ("-1", "x"),
        ("steps", "3"),
    ],
)
def test_what_a_value_cannot_be_is_refused_with_its_place(key: str, text: str) -> None:
    with pytest.raises(PycomfyError) as caught:
        change(ui(sampler()), (key, text))
    assert "3" in caught.value.where and caught.value.fixes


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PycomfyError, match=r"101(.|\n)*eular"):
        change(ui(sampler()), ("2", "101"), ("4", "eular"))


def test_values_by_name_and_by_position_stay_the_same() -> None:
    names = ["seed", "control_after_generate", "steps", "cfg", "sampler_name", "tiled", "note"]
    node = sampler(list(VALUES), widgets_values_named=dict(zip(names, VALUES, strict=True)))
    changed, _ = change(ui(node), ("steps", "7"))
    (saved,) = changed["nodes"]
    assert saved["widgets_values_named"]["steps"] == 7 and saved["widgets_values"][2] == 7
    changed, _ = change(ui(sampler({"steps": 20, "text": "a"})), ("text", "b"))
    assert changed["nodes"][0]["widgets_values"] == {"steps": 20, "text": "b"}


def test_a_node_in_a_subgraph_is_found_by_its_graph() -> None:
    inner = {"id": "sub", "name": "Inner", "nodes": [sampler()], "links": []}
    root = ui({"id": 3, "type": "sub"}, definitions={"subgraphs": [inner]})
    changed, _ = change(root, ("2", "7"), graph="sub")
    assert changed["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"][2] == 7
    with pytest.raises(PycomfyError, match="no node"):
        change(root, ("2", "7"), graph="other")


def test_a_workflow_in_api_format_is_changed_too() -> None:
    root = {"3": {"class_type": "KSampler", "inputs": {"steps": 20, "model": ["4", 0]}}, "4": {"class_type": "X"}}
    assert [(one.key, one.kind) for one in values(root)] == [("steps", "integer")]
    changed, _ = change(root, ("steps", "7"))
    assert changed["3"]["inputs"] == {"steps": 7, "model": ["4", 0]}
    with pytest.raises(PycomfyError, match="no value"):
        change(root, ("model", "x"))


def test_the_second_of_two_nodes_with_one_id_is_not_mistaken_for_the_first() -> None:
    root = ui(sampler(), sampler())
    with pytest.raises(PycomfyError, match="own id"):
        change(root, ("2", "7"), node="4")
