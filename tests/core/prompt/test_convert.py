"""The rules of the frontend's `graphToPrompt`, each on a case of our own."""

import json
from typing import Any

import pytest

from pycomfy.core.prompt.convert import convert, try_convert
from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadWorkflow, ErrorGroup, UnknownNode
from tests.support.graphs import (
    OBJECT_INFO,
    chain,
    definition,
    inputs_of,
    linked,
    node,
    parsed,
    plain,
    prompt_of,
    slot,
    subgraph,
    ui,
    widget,
)

SEED = ["INT", {"control_after_generate": True}]


def test_a_plain_workflow_becomes_its_prompt() -> None:
    assert prompt_of(plain()) == {
        "4": {"class_type": "Load", "inputs": {"file": "b.ckpt"}, "_meta": {"title": "Load It"}},
        "6": {"class_type": "Text", "inputs": {"text": "a cat", "texter": ["4", 1]}, "_meta": {"title": "Wish"}},
        "5": {"class_type": "Blank", "inputs": {"width": 640, "height": 480}, "_meta": {"title": "Blank"}},
        "3": {
            "class_type": "Sample",
            "inputs": {
                "seed": 7,
                "steps": 30,
                "method": "heun",
                "model": ["4", 0],
                "positive": ["6", 0],
                "latent": ["5", 0],
            },
            "_meta": {"title": "Sample"},
        },
        "8": {"class_type": "Decode", "inputs": {"latent": ["3", 0]}, "_meta": {"title": "Decode"}},
        "9": {"class_type": "Save", "inputs": {"prefix": "cat", "images": ["8", 0]}, "_meta": {"title": "Save"}},
    }


def test_links_as_objects_and_slots_as_strings_mean_the_same() -> None:
    other = plain()
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    other["links"] = [dict(zip(names, link, strict=True)) for link in other["links"]]
    other["version"] = 1
    assert prompt_of(other) == prompt_of(plain())
    other["links"] = [[i, o, str(s), t, str(u), y] for i, o, s, t, u, y in plain()["links"]]
    assert prompt_of(other) == prompt_of(plain())


def test_string_ids_are_the_same_nodes() -> None:
    assert inputs_of(ui([node("a b", "Blank", values=(1, 2))], [])) == {"a b": {"width": 1, "height": 2}}


def test_target_slots_are_not_believed() -> None:
    other = plain()
    other["links"] = [[i, o, s, t, 77, y] for i, o, s, t, _, y in other["links"]]
    assert prompt_of(other) == prompt_of(plain())


class TestValues:
    def test_a_missing_tail_keeps_the_defaults(self) -> None:
        assert inputs_of(ui([node(1, "Blank", values=(9,))], []))["1"] == {"width": 9, "height": 512}

    def test_values_by_name(self) -> None:
        assert inputs_of(ui([node(1, "Blank", values={"height": 3, "x": 1})], []))["1"] == {"width": 512, "height": 3}

    def test_named_values_win_over_positions(self) -> None:
        one = node(1, "Blank", values=(1, 2), widgets_values_named={"width": 10, "height": 20})
        assert inputs_of(ui([one], []))["1"] == {"width": 10, "height": 20}

    def test_a_null_combo_becomes_the_first_choice(self) -> None:
        assert inputs_of(ui([node(1, "Load", values=(None,))], []))["1"] == {"file": "a.ckpt"}

    def test_a_seed_without_option_has_a_control_too(self) -> None:
        info = {"R": definition({"noise_seed": ["INT"], "n": ["INT"]}, outputs=["X"])}
        assert inputs_of(ui([node(1, "R", values=(5, "fixed", 6))], []), info)["1"] == {"noise_seed": 5, "n": 6}

    def test_a_seed_whose_control_is_off_has_none(self) -> None:
        info = {"R": definition({"seed": ["INT", {"control_after_generate": False}], "n": ["INT"]}, outputs=["X"])}
        assert inputs_of(ui([node(1, "R", values=(5, 6))], []), info)["1"] == {"seed": 5, "n": 6}

    def test_a_controlled_combo_has_two_more_values(self) -> None:
        combo = ["COMBO", {"options": ["a", "b"], "control_after_generate": True}]
        info = {"R": definition({"c": combo, "n": ["INT"]}, outputs=["X"])}
        assert inputs_of(ui([node(1, "R", values=("b", "fixed", "", 6))], []), info)["1"] == {"c": "b", "n": 6}

    def test_upload_buttons_are_saved_and_not_sent(self) -> None:
        assert inputs_of(ui([node(1, "Photo", values=("x.png", "image"))], []))["1"] == {"photo": "x.png"}

    def test_forced_inputs_have_no_value_though_old_files_saved_one(self) -> None:
        forced = definition({"a": ["INT"], "b": ["INT", {"forceInput": True}], "c": ["INT"]}, outputs=["X"])
        for values in ((1, 2, 3), (1, 3)):
            assert inputs_of(ui([node(1, "F", values=values)], []), {"F": forced})["1"] == {"a": 1, "c": 3}

    def test_widgets_are_in_the_order_that_input_order_says(self) -> None:
        one = definition({"b": ["INT"], "a": ["INT"]}, {"c": ["INT"]}, outputs=["X"])
        one["input_order"] = {"required": ["a"], "optional": ["c"]}
        assert inputs_of(ui([node(1, "O", values=(1, 2, 3))], []), {"O": one})["1"] == {"a": 1, "c": 2, "b": 3}

    def test_defaults(self) -> None:
        one = definition(
            {
                "i": ["INT"],
                "f": ["FLOAT", {"default": 0.5}],
                "s": ["STRING"],
                "b": ["BOOLEAN"],
                "c": ["COMBO", {"options": ["x", "y"], "default": "y"}],
                "d": [["p", "q"]],
                "m": ["COMBO", {"options": ["x"], "multi_select": True}],
            },
            outputs=["X"],
        )
        assert inputs_of(ui([node(1, "D")], []), {"D": one})["1"] == {
            "i": 0,
            "f": 0.5,
            "s": "",
            "b": False,
            "c": "y",
            "d": "p",
            "m": {"__value__": []},
        }

    def test_lists_and_curves_are_wrapped(self) -> None:
        info = {"L": definition({"l": ["STRING"], "c": ["CURVE"]}, outputs=["X"])}
        assert inputs_of(ui([node(1, "L", values=([1, 2], [[0, 0]]))], []), info)["1"] == {
            "l": {"__value__": [1, 2]},
            "c": {"__type__": "CURVE", "__value__": [[0, 0]]},
        }

    def test_old_sampler_names_lose_their_prefix(self) -> None:
        info = {"KSampler": definition({"sampler_name": [["euler"]]}, outputs=["X"])}
        values = inputs_of(ui([node(1, "KSampler", values=("sample_euler",))], []), info)
        assert values["1"] == {"sampler_name": "euler"}

    def test_a_link_takes_the_place_of_a_widget(self) -> None:
        info = {**OBJECT_INFO, "N": definition(outputs=["INT"])}
        workflow = ui([node(1, "N"), node(2, "Blank", widget("height", 1), values=(1, 2))], [[1, 1, 0, 2, 0, "INT"]])
        assert inputs_of(workflow, info)["2"] == {"width": 1, "height": ["1", 0]}

    def test_seeds_larger_than_a_double_are_exact(self) -> None:
        info = {"R": definition({"seed": ["INT"]}, outputs=["X"])}
        values = inputs_of(ui([node(1, "R", values=(18446744073709551615, "fixed"))], []), info)
        assert values["1"] == {"seed": 18446744073709551615}


class TestScripted:
    @pytest.mark.parametrize(("choice", "index"), [("a", 0), ("b", 1), ("c", -1)])
    def test_a_custom_combo_sends_its_choices_and_the_index(self, choice: str, index: int) -> None:
        info = {"CustomCombo": definition({"choice": ["COMBO", {"options": []}]}, outputs=["STRING", "INT"])}
        one = node(1, "CustomCombo", values=(choice, 0, "a", "b", ""))
        assert inputs_of(ui([one], []), info)["1"] == {
            "choice": choice,
            "index": index,
            "option1": "a",
            "option2": "b",
            "option3": "",
        }

    @pytest.mark.parametrize(
        "values",
        [
            {"values": {"choice": "b", "option1": "a", "option2": "b"}},
            {"values": ("b",), "widgets_values_named": {"choice": "b", "option1": "a", "option2": "b"}},
        ],
        ids=["by name", "by name beside a list"],
    )
    def test_a_custom_combo_has_the_choices_that_are_saved_by_name(self, values: dict[str, Any]) -> None:
        info = {"CustomCombo": definition({"choice": ["COMBO", {"options": []}]}, outputs=["STRING", "INT"])}
        sent = inputs_of(ui([node(1, "CustomCombo", **values)], []), info)["1"]
        assert sent == {"choice": "b", "index": 1, "option1": "a", "option2": "b"}

    def test_each_custom_combo_has_its_own_choices_to_link_to(self) -> None:
        info = {
            "CustomCombo": definition({"choice": ["COMBO", {"options": []}]}, outputs=["STRING", "INT"]),
            "Name": definition(outputs=["STRING"]),
        }
        workflow = ui(
            [
                node(1, "CustomCombo", values=("a", 0, "a", "")),
                node(2, "CustomCombo", widget("option3", 1, "STRING"), values=("a", 0, "a", "b", "c")),
                node(3, "Name"),
            ],
            [[1, 3, 0, 2, 0, "STRING"]],
        )
        sent = inputs_of(workflow, info)
        assert "option3" not in sent["1"] and sent["2"]["option3"] == ["3", 0]

    def test_the_names_of_linked_branches_are_sent(self) -> None:
        template = {"input": {"required": {"image": ["IMAGE"]}}, "names": ["a", "b", "c"], "min": 1}
        info = {
            **OBJECT_INFO,
            "Branches": definition(
                {"autogrow": ["COMFY_AUTOGROW_V3", {"template": template}], "names": ["COMFY_BRANCH_INPUT_NAMES", {}]}
            ),
        }
        workflow = ui(
            [
                node(1, "Photo", values=("x.png", "image")),
                node(2, "Branches", linked("autogrow.a", 1), linked("autogrow.b", None), linked("autogrow.c", 2)),
            ],
            [[1, 1, 0, 2, 0, "IMAGE"], [2, 1, 0, 2, 2, "IMAGE"]],
        )
        assert inputs_of(workflow, info)["2"]["names"] == {"__value__": ["a", "c"]}

    def test_buttons_of_3d_views_and_remote_choices_take_places(self) -> None:
        remote = ["COMBO", {"remote": {"route": "/x", "refresh_button": True}, "image_upload": True}]
        info = {
            "Load3D": definition({"model_file": [["a.glb"]], "image": ["LOAD_3D"], "width": ["INT"]}, outputs=["X"]),
            "Remote": definition({"image": remote, "n": ["INT"]}, outputs=["X"]),
        }
        values = ("a.glb", "upload3dmodel", "uploadExtraResources", "clear", "", 640)
        found = inputs_of(
            ui([node(1, "Load3D", values=values), node(2, "Remote", values=("x", False, "refresh", 5, "image"))], []),
            info,
        )
        assert found["1"]["width"] == 640
        assert found["2"] == {"image": "x", "n": 5}

    @pytest.mark.parametrize("type_", ["SaveGLB", "Preview3D", "Preview3DAnimation"])
    def test_the_editor_adds_a_view_to_nodes_that_show_3d_models(self, type_: str) -> None:
        workflow = ui([node(1, type_, values=("a.glb", "x.png"))], [])
        assert inputs_of(workflow, {type_: definition({"file": ["STRING"]})})["1"] == {
            "file": "a.glb",
            "image": "x.png",
        }


class TestDynamic:
    COMBO = (
        "COMFY_DYNAMICCOMBO_V3",
        {
            "options": [
                {"key": "size", "inputs": {"required": {"width": ["INT"], "seed": SEED}}},
                {"key": "sub", "inputs": {"required": {"inner": ["COMFY_DYNAMICCOMBO_V3", {"options": []}]}}},
                {"key": "image", "inputs": {"required": {"picture": ["IMAGE"]}, "optional": {"x": ["FLOAT"]}}},
            ]
        },
    )

    def info(self) -> dict[str, Any]:
        return {**OBJECT_INFO, "Dyn": definition({"mode": list(self.COMBO), "last": ["INT"]}, outputs=["X"])}

    def test_the_chosen_option_decides_the_inputs(self) -> None:
        values = ("image", 0.5, "randomize", 9)
        assert inputs_of(ui([node(1, "Dyn", values=values)], []), self.info())["1"] == {
            "mode": "image",
            "mode.x": 0.5,
            "last": 9,
        }

    def test_the_control_of_the_first_option_stays_behind(self) -> None:
        values = ("size", 64, 7, "fixed", "randomize", 9)
        assert inputs_of(ui([node(1, "Dyn", values=values)], []), self.info())["1"] == {
            "mode": "size",
            "mode.width": 64,
            "mode.seed": 7,
            "last": 9,
        }

    def test_links_into_an_option(self) -> None:
        workflow = ui(
            [
                node(1, "Photo", values=("x.png", "image")),
                node(2, "Dyn", linked("mode.picture", 1), values=("image", 0.5, "randomize", 9)),
            ],
            [[1, 1, 0, 2, 0, "IMAGE"]],
        )
        assert inputs_of(workflow, self.info())["2"]["mode.picture"] == ["1", 0]

    def test_the_sockets_of_each_node_s_option_come_right_after_the_combo(self) -> None:
        workflow = ui(
            [
                node(1, "Photo", values=("x.png", "image")),
                node(2, "Dyn", values=("size", 64, 7, "fixed", "randomize", 9)),
                node(3, "Dyn", values=("image", 0.5, "randomize", 9)),
            ],
            [[1, 1, 0, 3, 1, "IMAGE"]],
        )
        values = inputs_of(workflow, self.info())
        assert values["3"] == {"mode": "image", "mode.x": 0.5, "last": 9, "mode.picture": ["1", 0]}
        assert values["2"] == {"mode": "size", "mode.width": 64, "mode.seed": 7, "last": 9}

    def test_autogrow_sends_what_is_linked_and_not_the_container(self) -> None:
        template = {"input": {"required": {"image": ["IMAGE"]}}, "prefix": "image", "min": 1}
        info = {**OBJECT_INFO, "Many": definition({"images": ["COMFY_AUTOGROW_V3", {"template": template}]})}
        workflow = ui(
            [
                node(1, "Photo", values=("x.png", "image")),
                node(2, "Many", linked("images.image0", 1), linked("images.image1", None)),
            ],
            [[1, 1, 0, 2, 0, "IMAGE"]],
        )
        assert inputs_of(workflow, info)["2"] == {"images.image0": ["1", 0]}

    def test_rows_of_a_dynamic_group(self) -> None:
        template = {"required": {"name": ["STRING"], "seed": ["INT", {"control_after_generate": True}]}}
        group = ["COMFY_DYNAMICGROUP_V3", {"template": template, "min": 1, "max": 5}]
        info = {"Rows": definition({"rows": group, "last": ["INT"]}, outputs=["X"])}
        values = (2, "a", 1, "fixed", "b", 2, "fixed", 9)
        assert inputs_of(ui([node(1, "Rows", values=values)], []), info)["1"] == {
            "rows.0.name": "a",
            "rows.0.seed": 1,
            "rows.1.name": "b",
            "rows.1.seed": 2,
            "last": 9,
        }


class TestOff:
    def test_a_muted_node_and_links_to_it_vanish(self) -> None:
        workflow = chain(
            node(2, "Blur", linked("image", 8), mode=2), links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, ""]]
        )
        assert inputs_of(workflow) == {"1": {"photo": "x.png"}, "9": {"prefix": "out"}}

    def test_a_bypassed_node_passes_its_input_on(self) -> None:
        workflow = chain(
            node(2, "Blur", linked("image", 8), mode=4), links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]]
        )
        assert inputs_of(workflow)["9"]["images"] == ["1", 0]

    def test_bypass_goes_by_type_where_the_slot_does_not_fit(self) -> None:
        middle = node(2, "Mix", linked("mask", 7), linked("first", 8), mode=4)
        workflow = chain(middle, links=[[7, 1, 1, 2, 0, "MASK"], [8, 1, 0, 2, 1, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]])
        assert inputs_of(workflow)["9"]["images"] == ["1", 0]

    @pytest.mark.parametrize(("type_", "passed"), [("IMAGE", ["1", 0]), ("COMFY_MATCHTYPE_V3", ["1", 1])])
    def test_bypass_goes_by_the_type_of_the_output_too(self, type_: str, passed: list[object]) -> None:
        info = {
            **OBJECT_INFO,
            "Middle": definition({"mask": ["MASK"], "image": ["IMAGE"]}, outputs=[type_]),
            "Both": definition({"images": ["IMAGE,MASK"]}),
        }
        workflow = ui(
            [
                node(1, "Photo", values=("x.png", "image")),
                node(2, "Middle", linked("mask", 7), linked("image", 8), mode=4),
                node(9, "Both", linked("images", 9)),
            ],
            [[7, 1, 1, 2, 0, "MASK"], [8, 1, 0, 2, 1, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]],
        )
        assert inputs_of(workflow, info)["9"]["images"] == passed

    def test_bypass_without_an_input_of_the_type_gives_nothing(self) -> None:
        workflow = chain(node(2, "Decode", linked("latent", None), mode=4), links=[[9, 2, 0, 9, 0, "IMAGE"]])
        assert "images" not in inputs_of(workflow)["9"]

    @pytest.mark.parametrize("mode", [1, 3, 5])
    def test_a_node_of_any_other_mode_runs(self, mode: int) -> None:
        workflow = chain(
            node(2, "Blur", linked("image", 8), mode=mode), links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]]
        )
        assert inputs_of(workflow)["9"]["images"] == ["2", 0]

    def test_a_chain_of_bypassed_nodes(self) -> None:
        count = 3000
        middle = [node(10 + i, "Blur", linked("image", 10 + i), mode=4) for i in range(count)]
        links = [[10 + i, 9 + i if i else 1, 0, 10 + i, 0, "IMAGE"] for i in range(count)]
        workflow = chain(*middle, links=[*links, [9, 9 + count, 0, 9, 0, "IMAGE"]])
        assert inputs_of(workflow)["9"]["images"] == ["1", 0]

    def test_links_in_a_cycle_are_an_error(self) -> None:
        middle = [
            node(2, "Blur", linked("image", 7), mode=4),
            node(3, "Blur", linked("image", 8), mode=4),
        ]
        links = [[7, 3, 0, 2, 0, "IMAGE"], [8, 2, 0, 3, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]]
        with pytest.raises(BadWorkflow, match="cycle"):
            inputs_of(chain(*middle, links=links))


class TestVirtual:
    def test_reroutes_and_notes(self) -> None:
        workflow = chain(
            node(2, "Reroute", linked("", 8), outputs=["IMAGE"]),
            node(3, "Note", values=("hello",)),
            node(4, "MarkdownNote", values=("hello",)),
            links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]],
        )
        assert inputs_of(workflow) == {"1": {"photo": "x.png"}, "9": {"prefix": "out", "images": ["1", 0]}}

    def test_a_reroute_carries_the_type_that_is_wanted(self) -> None:
        workflow = chain(
            node(2, "Mix", linked("mask", 6), linked("first", 7), mode=4),
            node(3, "Reroute", linked("", 8)),
            links=[[6, 1, 1, 2, 0, "MASK"], [7, 1, 0, 2, 1, "IMAGE"], [8, 2, 0, 3, 0, "*"], [9, 3, 0, 9, 0, "IMAGE"]],
        )
        assert inputs_of(workflow)["9"]["images"] == ["1", 0]

    def test_a_primitive_sets_every_widget_it_is_linked_to(self) -> None:
        workflow = ui(
            [
                node(1, "PrimitiveNode", values=(77, "fixed"), outputs=["INT"]),
                node(2, "Blank", widget("width", 1), widget("height", 2), values=(1, 2)),
                node(3, "Reroute", linked("", 3)),
            ],
            [[1, 1, 0, 2, 0, "INT"], [3, 1, 0, 3, 0, "INT"], [2, 3, 0, 2, 1, "INT"]],
        )
        assert inputs_of(workflow) == {"2": {"width": 77, "height": 77}}

    def test_a_primitive_s_number_is_rounded_to_the_widget_s_steps(self) -> None:
        info = {"Blank": definition({"width": ["INT", {"min": 16, "step": 8}]}, outputs=["LATENT"])}
        workflow = ui(
            [
                node(1, "PrimitiveNode", values=(99, "fixed"), outputs=["INT"]),
                node(2, "Blank", widget("width", 1), values=(99,)),
                node(3, "Blank", widget("width"), values=(99,)),
            ],
            [[1, 1, 0, 2, 0, "INT"]],
        )
        assert inputs_of(workflow, info) == {"2": {"width": 96}, "3": {"width": 99}}

    def test_set_and_get_nodes_meet_by_name(self) -> None:
        workflow = chain(
            node(2, "SetNode", linked("IMAGE", 8), values=("pic",)),
            node(3, "GetNode", values=("pic",)),
            node(4, "GetNode", values=("other",)),
            links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 3, 0, 9, 0, "IMAGE"]],
        )
        assert inputs_of(workflow) == {"1": {"photo": "x.png"}, "9": {"prefix": "out", "images": ["1", 0]}}

    @pytest.mark.parametrize(
        ("setter", "getter", "images"),
        [
            ({"mode": 2}, {}, ["1", 0]),  # a Get asks the Set what comes into it, and passes it by
            ({"mode": 4}, {}, ["1", 0]),
            ({}, {}, ["1", 0]),
            ({}, {"mode": 2}, None),
            ({}, {"mode": 4}, None),  # nothing goes into a Get that it could pass on
            ({"values": ("",)}, {"values": ("",)}, None),
        ],
    )
    def test_set_and_get_nodes_that_are_off_or_have_no_name(
        self, setter: dict[str, Any], getter: dict[str, Any], images: list[object] | None
    ) -> None:
        set_, get = {"values": ("pic",), **setter}, {"values": ("pic",), **getter}
        workflow = chain(
            node(2, "SetNode", linked("IMAGE", 8), **set_),
            node(3, "GetNode", **get),
            links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 3, 0, 9, 0, "IMAGE"]],
        )
        assert inputs_of(workflow)["9"].get("images") == images

    def test_of_two_set_nodes_with_one_name_the_first_counts(self) -> None:
        workflow = chain(
            node(2, "SetNode", linked("IMAGE", 8), values=("pic",)),
            node(5, "Blur", linked("image", 7), values=(2.0,)),
            node(4, "SetNode", linked("IMAGE", 6), values=("pic",)),
            node(3, "GetNode", values=("pic",)),
            links=[
                [8, 1, 0, 2, 0, "IMAGE"],
                [7, 1, 0, 5, 0, "IMAGE"],
                [6, 5, 0, 4, 0, "IMAGE"],
                [9, 3, 0, 9, 0, "IMAGE"],
            ],
        )
        assert inputs_of(workflow)["9"]["images"] == ["1", 0]


def hosted(host: dict[str, Any], inner: list[dict[str, Any]], links: list[Any], inputs: list[Any]) -> dict[str, Any]:
    """Photo 1 -> host 2 of subgraph `sg` -> Save 9."""
    graph = subgraph("sg", inner, links, inputs, [slot("out", "IMAGE", 90)])
    return {
        **chain(host, links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]]),
        "definitions": {"subgraphs": [graph]},
    }


class TestSubgraphs:
    INNER = (
        [node(5, "Blur", linked("image", 80, "IMAGE"), widget("radius", 81, "FLOAT"), values=(2.5,))],
        [[80, -10, 0, 5, 0, "IMAGE"], [81, -10, 1, 5, 1, "FLOAT"], [90, 5, 0, -20, 0, "IMAGE"]],
        [slot("image", "IMAGE", 80), slot("radius", "FLOAT", 81)],
    )

    def test_inner_nodes_are_named_after_their_host(self) -> None:
        assert inputs_of(hosted(node(2, "sg", linked("image", 8)), *self.INNER)) == {
            "1": {"photo": "x.png"},
            "2:5": {"image": ["1", 0], "radius": 2.5},
            "9": {"prefix": "out", "images": ["2:5", 0]},
        }

    def test_a_host_sets_promoted_widgets(self) -> None:
        host = node(2, "sg", linked("image", 8), widget("radius"), values=(7.5,))
        assert inputs_of(hosted(host, *self.INNER))["2:5"]["radius"] == 7.5

    def test_a_hole_keeps_the_inner_value(self) -> None:
        host = node(2, "sg", linked("image", 8), widget("radius"), values=(None,))
        assert inputs_of(hosted(host, *self.INNER))["2:5"]["radius"] == 2.5

    def test_values_by_name_on_hosts(self) -> None:
        host = node(2, "sg", linked("image", 8), widgets_values_named={"radius": 4})
        assert inputs_of(hosted(host, *self.INNER))["2:5"]["radius"] == 4

    def test_proxy_widgets_without_a_link_set_inner_values_for_this_host_only(self) -> None:
        inner = [node(5, "Blur", linked("image", 80, "IMAGE"), values=(2.5,))]
        links = [[80, -10, 0, 5, 0, "IMAGE"], [90, 5, 0, -20, 0, "IMAGE"]]
        host = node(
            2,
            "sg",
            linked("image", 8),
            values=(6, 1),
            properties={"proxyWidgets": [["5", "radius"], ["5", "$$preview"]]},
        )
        assert inputs_of(hosted(host, inner, links, [slot("image", "IMAGE", 80)]))["2:5"]["radius"] == 6

    def test_a_proxy_without_a_widget_is_skipped(self) -> None:
        host = node(2, "sg", linked("image", 8), values=(6, 7), properties={"proxyWidgets": [["5"], ["5", "radius"]]})
        assert inputs_of(hosted(host, *self.INNER))["2:5"]["radius"] == 7

    @pytest.mark.parametrize(("own", "target", "promoted"), [(81, 0, 2.5), (None, 1, 2.5), (None, 0, 1)])
    def test_a_link_inside_leads_to_the_input_that_names_it_else_to_that_of_its_number(
        self, own: int | None, target: int, promoted: float
    ) -> None:
        info = {**OBJECT_INFO, "Two": definition({"a": ["FLOAT"], "b": ["FLOAT"]}, outputs=["IMAGE"])}
        inner = [node(5, "Two", widget("a", None, "FLOAT"), widget("b", own, "FLOAT"), values=(1, 2.5))]
        links = [[81, -10, 0, 5, target, "FLOAT"], [90, 5, 0, -20, 0, "IMAGE"]]
        found = FlatWorkflow(
            parsed(hosted(node(2, "sg"), inner, links, [slot("radius", "FLOAT", 81)])), Definitions(info)
        )
        host = next(n for n in found.nodes if n.id == "2")
        assert found.displayed_values(host) == {"radius": promoted}

    def test_proxy_widgets_that_are_linked_give_the_order_of_the_values(self) -> None:
        inner = [
            node(5, "Blur", linked("image", 80), widget("radius", 81), values=(1,)),
            node(6, "Blank", widget("width", 82), widget("height", 83), values=(10, 20)),
        ]
        links = [
            [80, -10, 0, 5, 0, ""],
            [81, -10, 1, 5, 1, ""],
            [82, -10, 2, 6, 0, ""],
            [83, -10, 3, 6, 1, ""],
            [90, 5, 0, -20, 0, ""],
        ]
        inputs = [slot("image", "IMAGE", 80), slot("r", "FLOAT", 81), slot("w", "INT", 82), slot("h", "INT", 83)]
        proxies = [["6", "height"], ["-1", "w"], ["5", "radius"]]
        host = node(2, "sg", linked("image", 8), values=(200, 100, 3), properties={"proxyWidgets": proxies})
        values = inputs_of(hosted(host, inner, links, inputs))
        assert values["2:6"] == {"width": 100, "height": 200}
        assert values["2:5"]["radius"] == 3

    @pytest.mark.parametrize("saved", [(3,), (3, 4, 5)])
    def test_a_host_may_have_more_or_fewer_values_than_proxy_widgets(self, saved: tuple[int, ...]) -> None:
        inner = [node(5, "Blur", linked("image", 80, "IMAGE"), values=(2.5,)), node(6, "Blank", values=(1, 2))]
        links = [[80, -10, 0, 5, 0, "IMAGE"], [90, 5, 0, -20, 0, "IMAGE"]]
        proxies = [["5", "radius"], ["6", "height"]]
        host = node(2, "sg", linked("image", 8), values=saved, properties={"proxyWidgets": proxies})
        values = inputs_of(hosted(host, inner, links, [slot("image", "IMAGE", 80)]))
        assert (values["2:5"]["radius"], values["2:6"]["height"]) == (3, (*saved, 2)[1])

    @pytest.mark.parametrize("saved", [{"values": {"5": 7}}, {"values": (7,), "widgets_values_named": {"other": 7}}])
    def test_proxy_widgets_take_no_value_that_is_saved_by_name(self, saved: dict[str, Any]) -> None:
        inner = [node(5, "Blur", linked("image", 80, "IMAGE"), values=(2.5,))]
        links = [[80, -10, 0, 5, 0, "IMAGE"], [90, 5, 0, -20, 0, "IMAGE"]]
        host = node(2, "sg", linked("image", 8), properties={"proxyWidgets": [["5", "radius"]]}, **saved)
        assert inputs_of(hosted(host, inner, links, [slot("image", "IMAGE", 80)]))["2:5"]["radius"] == 2.5

    def test_links_into_a_promoted_widget(self) -> None:
        info = {**OBJECT_INFO, "N": definition(outputs=["FLOAT"])}
        workflow = hosted(node(2, "sg", linked("image", 8), widget("radius", 7)), *self.INNER)
        workflow["nodes"].append(node(3, "N"))
        workflow["links"].append([7, 3, 0, 2, 1, "FLOAT"])
        assert inputs_of(workflow, info)["2:5"]["radius"] == ["3", 0]

    def test_a_primitive_sets_a_promoted_widget(self) -> None:
        workflow = hosted(node(2, "sg", linked("image", 8), widget("radius", 7), values=(1,)), *self.INNER)
        workflow["nodes"].append(node(3, "PrimitiveNode", values=(8.5, "fixed")))
        workflow["links"].append([7, 3, 0, 2, 1, "FLOAT"])
        assert inputs_of(workflow)["2:5"]["radius"] == 8.5

    @pytest.mark.parametrize(("mode", "images"), [(2, None), (4, ["1", 0])])
    def test_a_host_that_is_off_is_not_opened(self, mode: int, images: list[object] | None) -> None:
        values = inputs_of(hosted(node(2, "sg", linked("image", 8), mode=mode), *self.INNER))
        assert "2:5" not in values
        assert values["9"].get("images") == images

    def test_an_input_passed_straight_to_an_output(self) -> None:
        links = [[90, -10, 0, -20, 0, "IMAGE"]]
        values = inputs_of(hosted(node(2, "sg", linked("image", 8)), [], links, [slot("image", "IMAGE", 90)]))
        assert values["9"]["images"] == ["1", 0]

    def nested(self, mode: int = 0) -> dict[str, Any]:
        inner = subgraph("inner", *self.INNER, [slot("out", "IMAGE", 90)])
        inner["nodes"] = [*inner["nodes"], node(6, "Save", linked("images", 91))]
        inner["links"] = [*inner["links"], [91, 5, 0, 6, 0, "IMAGE"]]
        middle = [node(4, "inner", linked("image", 80), widget("radius", 81), values=(3,), mode=mode)]
        links = [[80, -10, 0, 4, 0, ""], [81, -10, 1, 4, 1, ""], [90, 4, 0, -20, 0, ""]]
        workflow = hosted(
            node(2, "sg", linked("image", 8), widget("radius"), values=(9,)),
            middle,
            links,
            [slot("image", "IMAGE", 80), slot("radius", "FLOAT", 81)],
        )
        workflow["definitions"]["subgraphs"][0]["definitions"] = {"subgraphs": [inner]}
        return workflow

    def test_nested_definitions_and_promotion_through_two_hosts(self) -> None:
        values = inputs_of(self.nested())
        assert values["2:4:5"] == {"image": ["1", 0], "radius": 9}
        assert values["9"]["images"] == ["2:4:5", 0]

    def test_outputs_in_a_nested_subgraph_that_is_off_never_run(self) -> None:
        assert "2:4:6" in inputs_of(self.nested())
        assert "2:4:6" not in inputs_of(self.nested(mode=4))
        assert inputs_of(self.nested(mode=4))["9"]["images"] == ["1", 0]

    def test_nothing_is_linked_to_an_output_that_is_off_because_of_its_host(self) -> None:
        workflow = self.nested(mode=4)
        inner = workflow["definitions"]["subgraphs"][0]["definitions"]["subgraphs"][0]
        inner["nodes"] = [node(5, "Show", linked("image", 80)), node(6, "Blur", linked("image", 91), values=(3,))]
        shown = {**OBJECT_INFO, "Show": definition({"image": ["IMAGE"]}, outputs=["IMAGE"], output_node=True)}
        values = inputs_of(workflow, shown)
        assert "2:4:5" not in values
        assert values["2:4:6"] == {"radius": 3}

    def test_a_subgraph_that_contains_itself_is_an_error(self) -> None:
        with pytest.raises(BadWorkflow, match="contains itself"):
            inputs_of(hosted(node(2, "sg"), [node(5, "sg")], [], []))

    def test_subgraphs_that_multiply_are_an_error(self) -> None:
        definitions = [subgraph(f"s{i}", [node(n, f"s{i + 1}") for n in range(10)], [], [], []) for i in range(12)]
        workflow = ui([node(1, "s0")], [], definitions={"subgraphs": definitions})
        with pytest.raises(BadWorkflow, match="nodes or"):
            inputs_of(workflow)


class TestGroups:
    def grouped(self, **use: Any) -> dict[str, Any]:
        group = {
            "nodes": [
                node(0, "Load", values=("a.ckpt",), index=0),
                node(1, "Text", linked("texter", 44), values=("inner",), index=1),
                node(2, "Text", linked("texter", 45), values=("inner 2",), index=2, title="No"),
                node(
                    3,
                    "Sample",
                    linked("model", 1),
                    linked("positive", 2),
                    linked("latent", 3),
                    values=(1, "fixed", 2, "heun"),
                ),
            ],
            "links": [
                [0, 1, 1, 0, 4, "TEXTER"],
                [0, 1, 2, 0, 4, "TEXTER"],
                [0, 0, 3, 0, 4, "MODEL"],
                [1, 0, 3, 1, 5, "COND"],
            ],
            "external": [],
        }
        return ui(
            [
                node(5, "Blank", values=(8, 8)),
                node(7, "workflow>Maker", linked("latent", 1), **use),
                node(8, "Decode", linked("latent", 2)),
                node(9, "Save", linked("images", 3)),
            ],
            [[1, 5, 0, 7, 0, "LATENT"], [2, 7, 1, 8, 0, "LATENT"], [3, 8, 0, 9, 0, "IMAGE"]],
            extra={"groupNodes": {"Maker": group}},
        )

    def test_a_group_node_is_opened_with_the_values_of_its_use(self) -> None:
        values = inputs_of(self.grouped(values=("b.ckpt", "cat", "dog", 11, "randomize", 22, "euler")))
        assert values["7:0"] == {"file": "b.ckpt"}
        assert values["7:1"] == {"text": "cat", "texter": ["7:0", 1]}
        assert values["7:2"] == {"text": "dog", "texter": ["7:0", 1]}
        assert values["7:3"] == {
            "seed": 11,
            "steps": 22,
            "method": "euler",
            "model": ["7:0", 0],
            "positive": ["7:1", 0],
            "latent": ["5", 0],
        }
        assert values["8"] == {"latent": ["7:3", 0]}

    def test_a_use_without_values_has_the_definitions_defaults(self) -> None:
        values = inputs_of(self.grouped())
        assert values["7:0"]["file"] == "a.ckpt"
        assert values["7:1"]["text"] == ""
        assert values["7:3"]["steps"] == 20

    def test_a_combo_without_choices_and_values_is_not_sent_in_a_group_either(self) -> None:
        empty = definition({"file": [[]]}, outputs=["MODEL", "TEXTER"])
        made = convert(parsed(self.grouped()), {**OBJECT_INFO, "Load": empty})
        assert made["7:0"]["inputs"] == {}


class TestUnknown:
    def test_every_unknown_type_is_told_with_its_pack(self) -> None:
        workflow = ui(
            [
                node(1, "Foo", outputs=["X"], properties={"cnr_id": "foo-pack", "ver": "1.2"}),
                node(2, "Bar", outputs=["X"], properties={"aux_id": "me/bar"}),
            ],
            [],
        )
        with pytest.raises(ErrorGroup) as raised:
            prompt_of(workflow)
        foo, bar = raised.value.problems
        assert isinstance(foo, UnknownNode)
        assert "foo-pack" in foo.fix and "1.2" in foo.fix
        assert "node 2" in bar.where and "me/bar" in bar.fix

    def test_an_unknown_node_keeps_its_links_and_what_it_says_of_itself(self) -> None:
        workflow = chain(
            node(2, "Foo", linked("image", 8), widget("n"), values=(5,)),
            links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]],
        )
        conversion = try_convert(parsed(workflow), OBJECT_INFO)
        assert conversion.prompt["2"]["inputs"] == {"image": ["1", 0], "n": 5}
        assert len(conversion.problems) == 1

    @pytest.mark.parametrize(
        "saved",
        [{"values": {"n": 5}}, {"values": (7, 5), "widgets_values_named": {"n": 5}}],
        ids=["alone", "beside a list"],
    )
    def test_an_unknown_node_has_the_values_that_are_saved_by_name(self, saved: dict[str, Any]) -> None:
        workflow = ui([node(2, "Foo", widget("first"), outputs=["X"], **saved)], [])
        assert try_convert(parsed(workflow), OBJECT_INFO).prompt["2"]["inputs"] == {"n": 5}

    def test_unknown_nodes_that_are_off_do_not_matter(self) -> None:
        assert inputs_of(ui([node(1, "Foo", mode=4), node(2, "Bar", mode=2)], [])) == {}


def test_links_in_a_cycle_are_told_beside_what_else_is_wrong() -> None:
    workflow = chain(
        node(2, "Reroute", linked("", 7)),
        node(3, "Reroute", linked("", 8)),
        node(4, "Blur", linked("image", 6), outputs=["IMAGE"]),
        node(5, "Foo", linked("image", 5)),
        links=[
            [5, 4, 0, 5, 0, "IMAGE"],
            [6, 2, 0, 4, 0, "IMAGE"],
            [7, 3, 0, 2, 0, "IMAGE"],
            [8, 2, 0, 3, 0, "IMAGE"],
            [9, 4, 0, 9, 0, "IMAGE"],
        ],
    )
    conversion = try_convert(parsed(workflow), OBJECT_INFO)
    assert [(type(p), p.where) for p in conversion.problems] == [
        (BadWorkflow, "input image of node 4"),
        (UnknownNode, 'node 5 "Foo" of test.json'),
    ]
    inputs = {id_: made["inputs"] for id_, made in conversion.prompt.items()}
    assert inputs == {"1": {"photo": "x.png"}, "5": {}, "9": {"prefix": "out"}}, (
        "nothing is linked to what is not there"
    )


def test_an_api_workflow_is_its_own_prompt() -> None:
    prompt = prompt_of(plain())
    again = convert(parse_workflow(json.dumps(prompt), where="api.json"), OBJECT_INFO)
    assert again == prompt


def test_a_node_of_an_unknown_type_that_nothing_can_be_linked_to_is_left_out() -> None:
    """As bookmarks and notes that packs add to the editor; one with a socket may do something."""
    workflow = plain()
    workflow["nodes"] += [node(40, "Bookmark of a pack", values=("1", 1.5)), node(41, "Muted note", mode=2)]
    conversion = try_convert(parsed(workflow), OBJECT_INFO)
    assert (conversion.problems, conversion.left_out) == ((), {"40": "Bookmark of a pack"})
    assert conversion.prompt == prompt_of(plain())
    for socketed in (node(42, "Unknown", linked("in", None)), node(42, "Unknown", outputs=["X"])):
        with pytest.raises(UnknownNode):
            convert(parsed(ui([socketed], [])), OBJECT_INFO)


def test_a_node_that_only_the_table_links_to_is_not_left_out() -> None:
    workflow = ui([node(1, "Load", values=("b.ckpt",), outputs=["M", "T"]), node(2, "Unknown")], [[1, 1, 0, 2, 0, "M"]])
    with pytest.raises(UnknownNode):
        convert(parsed(workflow), OBJECT_INFO)


def test_a_former_type_of_comfyuis_is_told_with_the_one_that_replaced_it() -> None:
    node = {"id": 1, "type": "T2IAdapterLoader", "outputs": [{"name": "x", "type": "X"}]}
    graph = parse_workflow(json.dumps({"version": 0.4, "nodes": [node], "links": []}).encode(), where="w")
    (problem,) = try_convert(graph, {"ControlNetLoader": {"input": {}}}).problems
    assert 'ComfyUI replaced it by "ControlNetLoader"' in problem.what
