"""The workflow's API: which inputs become parameters, and what they are called."""

from typing import Any

import pytest

from pycomfy.core.interface.build import make_interface
from pycomfy.core.interface.json_schema import apply_arguments, inputs_schema
from pycomfy.core.interface.model import Interface, parse_interface
from pycomfy.core.interface.select import slug, unique_names
from pycomfy.core.nix.project import render_json
from pycomfy.core.prompt.convert import Prompt, convert
from pycomfy.errors import BadConfig, BadInput, ErrorGroup
from tests.support.graphs import OBJECT_INFO, definition, linked, node, parsed, plain, slot, subgraph, ui, widget

INFO = {
    **OBJECT_INFO,
    "ComfyUIDeployExternalText": definition(
        {"input_id": ["STRING"], "default_value": ["STRING", {"multiline": True}]}, outputs=["STRING"]
    ),
    "CPackInputInt": definition({"value": ["INT", {"min": 0, "max": 9}]}, outputs=["INT"]),
    "SaveVideo": definition({"video": ["VIDEO"]}),
    "SaveAudio": definition({"audio": ["AUDIO"]}),
    "SaveGLB": definition({"mesh": ["MESH"]}),
    "Show": definition({"text": ["STRING", {"forceInput": True}]}),
}


def interface_of(value: dict[str, Any], configured: dict[str, str] | None = None) -> tuple[Interface, Prompt]:
    workflow = parsed(value)
    prompt = convert(workflow, INFO)
    return make_interface(prompt, workflow, INFO, configured), prompt


def names_of(value: dict[str, Any], configured: dict[str, str] | None = None) -> list[str]:
    return [p.name for p in interface_of(value, configured)[0].parameters]


def test_the_sensible_set() -> None:
    interface, _ = interface_of(plain())
    assert [(p.name, p.type, p.default) for p in interface.parameters] == [
        ("prompt", "text", "a cat"),
        ("width", "integer", 640),
        ("height", "integer", 480),
        ("seed", "integer", 7),
        ("steps", "integer", 30),
    ]
    steps = interface.parameters[-1]
    assert (steps.minimum, steps.maximum) == (1, 100)


def test_configuration_comes_first() -> None:
    interface, _ = interface_of(plain(), {"wish": "6.text", "how": "3.method"})
    assert [(p.name, p.type) for p in interface.parameters] == [("wish", "text"), ("how", "choice")]
    assert interface.parameters[1].choices == ("euler", "heun")


def test_every_configured_input_that_does_not_exist_is_told() -> None:
    with pytest.raises(ErrorGroup) as raised:
        interface_of(plain(), {"a": "77.text", "b": "3.nothing"})
    first, second = raised.value.problems
    assert isinstance(first, BadConfig)
    assert "77" in first.what
    assert "steps" in second.fix


def test_the_author_s_app_inputs_come_before_the_sensible_set() -> None:
    value = plain() | {"extra": {"linearData": {"inputs": [["3", "method", {}], [5, "width"]], "outputs": ["9"]}}}
    assert names_of(value) == ["method", "width"]


def test_app_inputs_on_a_subgraph_s_host_set_what_is_inside() -> None:
    inner = [node(5, "Blank", widget("width", 1), widget("height", 2), values=(1, 2))]
    graph = subgraph("sg", inner, [[1, -10, 0, 5, 0, ""], [2, -10, 0, 5, 1, ""]], [slot("edge", "INT", 1, 2)], [])
    value = ui(
        [node(3, "sg", widget("edge"), values=(64,))],
        [],
        definitions={"subgraphs": [graph]},
        extra={"linearData": {"inputs": [["3", "edge"]]}},
    )
    interface, prompt = interface_of(value)
    (edge,) = interface.parameters
    assert [(t.node, t.input) for t in edge.targets] == [("3:5", "width"), ("3:5", "height")]
    assert apply_arguments(prompt, interface, {"edge": 128})["3:5"]["inputs"] == {"width": 128, "height": 128}


def test_a_primitive_is_one_parameter_for_all_it_feeds() -> None:
    value = ui(
        [
            node(1, "PrimitiveNode", values=(77, "fixed"), outputs=["INT"]),
            node(2, "Blank", widget("width", 1), widget("height", 2), values=(1, 2)),
        ],
        [[1, 1, 0, 2, 0, "INT"], [2, 1, 0, 2, 1, "INT"]],
    )
    interface, _ = interface_of(value)
    assert [len(p.targets) for p in interface.parameters] == [2]


def test_nodes_made_for_it() -> None:
    value = ui(
        [
            node(1, "ComfyUIDeployExternalText", values=("My Wish", "a cat")),
            node(2, "CPackInputInt", values=(3,), title="How many"),
            node(3, "Blank", values=(1, 2)),
        ],
        [],
    )
    interface, _ = interface_of(value)
    assert [(p.name, p.type, p.default) for p in interface.parameters] == [
        ("my_wish", "text", "a cat"),
        ("how_many", "integer", 3),
    ]


def test_titles_tagged_for_a_form() -> None:
    assert names_of(ui([node(3, "Blank", values=(1, 2), title="Size VC_BASIC"), node(4, "Blank")], [])) == [
        "width",
        "height",
    ]


def test_uploads_are_files() -> None:
    interface, _ = interface_of(ui([node(1, "Photo", values=("x.png", "image"))], []))
    assert [(p.name, p.type) for p in interface.parameters] == [("photo", "image")]


def test_both_sides_of_a_sampler_are_told_apart() -> None:
    info = {
        "Sampler": definition({"positive": ["COND"], "negative": ["COND"]}, outputs=["LATENT"]),
        "Control": definition({"positive": ["COND"], "negative": ["COND"]}, outputs=["COND", "COND"]),
        "Words": definition({"text": ["STRING", {"multiline": True}]}, outputs=["COND"]),
    }
    value = ui(
        [
            node(1, "Words", values=("bad",)),
            node(2, "Words", values=("good",)),
            node(3, "Control", linked("positive", 2), linked("negative", 1)),
            node(4, "Sampler", linked("positive", 3), linked("negative", 4)),
        ],
        [[1, 1, 0, 3, 1, ""], [2, 2, 0, 3, 0, ""], [3, 3, 0, 4, 0, ""], [4, 3, 1, 4, 1, ""]],
    )
    workflow = parsed(value)
    interface = make_interface(convert(workflow, info), workflow, info)
    assert [(p.name, p.default) for p in interface.parameters] == [("negative_prompt", "bad"), ("prompt", "good")]


def test_outputs_are_every_output_node_with_its_kind() -> None:
    value = ui([node(1, "Save"), node(2, "SaveVideo"), node(3, "SaveAudio"), node(4, "SaveGLB"), node(5, "Show")], [])
    interface, _ = interface_of(value)
    assert [o.kind for o in interface.outputs] == ["image", "video", "audio", "3d", "text"]


def test_the_author_s_outputs_come_first() -> None:
    value = ui([node(1, "Save"), node(2, "SaveVideo")], [], extra={"linearData": {"outputs": ["2"]}})
    interface, _ = interface_of(value)
    assert [o.node for o in interface.outputs] == ["2", "1"]


def test_names_are_unique_readable_and_plain() -> None:
    wished = [
        ("image", "Load Image"),
        ("image", "Load Image"),
        ("text", "Sky"),
        ("text", "Sea"),
        ("Größe!", ""),
        ("7", ""),
    ]
    assert unique_names(wished) == ["image", "image_2", "sky_text", "sea_text", "gr_e", "input_7"]
    assert slug("Straße" * 40).isascii()


def test_interface_json_is_read_back() -> None:
    interface, _ = interface_of(plain())
    assert parse_interface(render_json(interface.model_dump(mode="json")).decode()) == interface
    with pytest.raises(BadInput):
        parse_interface('{"parameters": 1}')


class TestArguments:
    def test_what_is_not_given_stays(self) -> None:
        interface, prompt = interface_of(plain())
        changed = apply_arguments(prompt, interface, {"prompt": "a dog", "width": "768"})
        assert changed["6"]["inputs"]["text"] == "a dog"
        assert changed["5"]["inputs"] == {"width": 768, "height": 480}
        assert prompt["6"]["inputs"]["text"] == "a cat"
        assert apply_arguments(prompt, interface, {}) == prompt

    def test_every_bad_argument_is_told(self) -> None:
        interface, prompt = interface_of(plain())
        with pytest.raises(ErrorGroup) as raised:
            apply_arguments(prompt, interface, {"steps": 0, "width": "wide", "nothing": 1})
        assert sorted(p.where for p in raised.value.problems) == ["inputs.nothing", "inputs.steps", "inputs.width"]
        assert all(p.fix for p in raised.value.problems)

    def test_the_json_schema_has_types_ranges_and_choices(self) -> None:
        interface, _ = interface_of(plain(), {"how": "3.method", "steps": "3.steps"})
        properties = inputs_schema(interface)["properties"]
        assert properties["how"]["enum"] == ["euler", "heun"]
        assert properties["steps"] | {"description": ""} == {
            "type": "integer",
            "default": 30,
            "minimum": 1,
            "maximum": 100,
            "title": "Sample: steps",
            "description": "",
            "x-type": "integer",
        }

    def test_false_as_a_text_is_false(self) -> None:
        info = {"Flag": definition({"on": ["BOOLEAN", {"default": True}]}, outputs=["X"])}
        workflow = parsed(ui([node(1, "Flag")], []))
        prompt = convert(workflow, info)
        interface = make_interface(prompt, workflow, info, {"on": "1.on"})
        assert apply_arguments(prompt, interface, {"on": "false"})["1"]["inputs"]["on"] is False
