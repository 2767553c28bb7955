"""The input slots of a node: in which order they are, which of them links fit, and what a bypassed node passes on."""

from typing import Any

import pytest

from pycomfy.core.prompt.node_definitions import NodeSpec, parse_node_spec
from pycomfy.core.prompt.slots import bypass_slot, compatible, defined_slots, host_slots, link_slots, node_slots
from pycomfy.core.prompt.widgets import Widget, make_widgets
from pycomfy.core.workflow.model import Graph, Input, Link, Node, Slot, Subgraph
from tests.support.graphs import definition


def spec_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> NodeSpec:
    return parse_node_spec("T", definition(required, optional, ["X"]))


def slots_of(required: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Name, type and widget of each slot of a definition."""
    spec = spec_of(required)
    return [(s.name, s.type, s.widget) for s in defined_slots(spec, make_widgets(spec.inputs))]


def inputs(*types: str) -> list[Input]:
    return [Input(f"i{n}", type_) for n, type_ in enumerate(types)]


def into(id_: str, slot: int) -> Link:
    return Link(id_, "1", 0, "2", slot, "X")


class TestDefinedSlots:
    def test_sockets_come_before_widgets_and_both_in_the_order_of_the_definition(self) -> None:
        assert slots_of({"n": ["INT"], "b": ["IMAGE"], "s": ["STRING"], "a": ["MASK"]}) == [
            ("b", "IMAGE", None),
            ("a", "MASK", None),
            ("n", "INT", "n"),
            ("s", "STRING", "s"),
        ]

    def test_controls_and_buttons_have_no_slot(self) -> None:
        controlled = {"seed": ["INT", {"control_after_generate": True}], "c": ["COMBO", {"remote": {"route": "/x"}}]}
        assert [name for name, _, _ in slots_of(controlled)] == ["seed", "c"]
        three = {"view": ["LOAD_3D"]}
        assert [name for name, _, _ in slots_of(three)] == ["view"]

    def test_a_widget_that_takes_no_link_has_no_slot(self) -> None:
        assert slots_of({"a": ["INT", {"socketless": True}], "b": ["INT"]}) == [("b", "INT", "b")]

    def test_a_slot_has_the_type_of_its_input_and_not_that_of_its_widget(self) -> None:
        assert slots_of({"a": ["FLOAT,INT", {"widgetType": "FLOAT"}]}) == [("a", "FLOAT,INT", "a")]

    def test_a_widget_that_the_definition_does_not_name_has_its_kind_as_type(self) -> None:
        found = defined_slots(spec_of({"a": ["INT"]}), [Widget("a", "INT"), Widget("b", "FLOAT")])
        assert [(s.name, s.type) for s in found] == [("a", "INT"), ("b", "FLOAT")]

    def test_the_sockets_of_the_chosen_option_come_right_after_their_combo(self) -> None:
        grow = ["COMFY_AUTOGROW_V3", {"template": {}}]
        options = [
            {"key": "one", "inputs": {"required": {"image": ["IMAGE"], "n": ["INT"], "many": grow}}},
            {"key": "two", "inputs": {"required": {"mask": ["MASK"]}}},
        ]
        spec = spec_of({"mode": ["COMFY_DYNAMICCOMBO_V3", {"options": options}], "last": ["INT"]})
        widgets = make_widgets(spec.inputs)
        names = [s.name for s in defined_slots(spec, widgets)]
        assert names == ["mode", "mode.image", "mode.n", "last"]
        chosen = [w._replace(default="two") if w.name == "mode" else w for w in widgets]
        assert [s.name for s in defined_slots(spec, chosen)] == ["mode", "mode.mask", "mode.n", "last"]

    @pytest.mark.parametrize("chosen", [["one"], None, "none of them"])
    def test_a_combo_whose_choice_is_none_of_its_options_has_no_further_sockets(self, chosen: object) -> None:
        options = [{"key": "one", "inputs": {"required": {"image": ["IMAGE"]}}}]
        spec = spec_of({"mode": ["COMFY_DYNAMICCOMBO_V3", {"options": options}]})
        (widget,) = make_widgets(spec.inputs)
        assert [s.name for s in defined_slots(spec, [widget._replace(default=chosen)])] == ["mode"]
        assert [s.name for s in defined_slots(spec, [widget._replace(default="one", parts=None)])] == ["mode"]

    def test_the_parts_of_a_pack_s_combo_are_no_sockets(self) -> None:
        spec = spec_of({"format": ["COMBO", {"options": ["a"]}]})
        (widget,) = make_widgets(spec.inputs)
        widget = widget._replace(parts={"a": spec_of({"image": ["IMAGE"]}).inputs}, default="a")
        assert [s.name for s in defined_slots(spec, [widget])] == ["format"]

    def test_a_container_of_growing_inputs_is_no_slot(self) -> None:
        assert slots_of({"images": ["COMFY_AUTOGROW_V3", {"template": {}}], "mask": ["MASK"]}) == [
            ("mask", "MASK", None)
        ]

    @pytest.mark.parametrize(
        ("options", "type_"),
        [
            ({"template": {"allowed_types": "IMAGE,MASK"}}, "IMAGE,MASK"),
            ({"template": {"allowed_types": ["IMAGE"]}}, "*"),
            ({"template": "x"}, "*"),
            ({}, "*"),
        ],
    )
    def test_an_input_whose_type_follows_its_link_has_the_types_that_are_allowed(
        self, options: dict[str, Any], type_: str
    ) -> None:
        assert slots_of({"a": ["COMFY_MATCHTYPE_V3", options]}) == [("a", type_, None)]


class TestNodeSlots:
    def test_the_links_of_the_file_are_taken_by_name(self) -> None:
        node = Node("1", "T", inputs=(Input("b", "Y", "2"), Input("a", "Z", "1")))
        assert node_slots([Input("a", "X"), Input("b", "X"), Input("c", "X")], node) == (
            Input("a", "X", "1"),
            Input("b", "X", "2"),
            Input("c", "X"),
        )

    @pytest.mark.parametrize("links", [("1", None), (None, "1"), ("1", "2")])
    def test_of_two_inputs_with_one_name_the_first_that_is_linked_counts(self, links: tuple[str | None, ...]) -> None:
        node = Node("1", "T", inputs=tuple(Input("a", "X", link) for link in links))
        assert node_slots([Input("a", "X")], node) == (Input("a", "X", "1"),)

    def test_inputs_that_only_the_file_has_come_last_but_for_those_of_widgets_that_are_gone(self) -> None:
        extra, of_widget, gone = Input("x", "X", "1"), Input("y", "X", "2", "a"), Input("z", "X", "3", "z")
        node = Node("1", "T", inputs=(extra, of_widget, gone))
        assert node_slots([Input("a", "INT", widget="a")], node) == (Input("a", "INT", widget="a"), extra, of_widget)


class TestLinkSlots:
    def test_a_slot_keeps_a_link_that_the_table_leads_here_and_loses_another(self) -> None:
        slots = [Input("a", "X", "1"), Input("b", "X", "9"), Input("c", "X")]
        assert link_slots(slots, [into("1", 2)]) == (Input("a", "X", "1"), Input("b", "X"), Input("c", "X"))

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_link_that_no_slot_names_goes_to_the_slot_of_its_number(self, at: int) -> None:
        assert [s.link for s in link_slots(inputs("X", "X", "X"), [into("1", at)])] == [
            "1" if n == at else None for n in range(3)
        ]

    @pytest.mark.parametrize("at", [-1, 2, 3])
    def test_a_link_to_a_number_that_is_no_slot_s_is_dropped(self, at: int) -> None:
        assert link_slots(inputs("X", "X"), [into("1", at)]) == tuple(inputs("X", "X"))

    def test_a_slot_that_is_linked_keeps_its_link(self) -> None:
        slots = [Input("a", "X", "1"), Input("b", "X")]
        assert [s.link for s in link_slots(slots, [into("1", 0), into("2", 0), into("3", 1)])] == ["1", "3"]
        assert [s.link for s in link_slots(inputs("X"), [into("2", 0), into("3", 0)])] == ["2"]

    def test_a_link_that_the_file_names_for_an_input_that_is_gone_is_dropped(self) -> None:
        saved = [Input("gone", "X", "1"), Input("i0", "X", "2"), Input("gone too", "X", "3")]
        assert link_slots(inputs("X"), [into("1", 0)], saved) == tuple(inputs("X"))
        assert [s.link for s in link_slots(inputs("X"), [into("2", 0)], saved)] == ["2"]
        assert [s.link for s in link_slots(inputs("X"), [into("4", 0)], saved)] == ["4"]
        assert [s.link for s in link_slots(inputs("X", "X"), [into("2", 1)], saved)] == [None, "2"]


def test_a_host_has_the_inputs_of_its_subgraph_and_those_with_one_name_are_matched_in_order() -> None:
    subgraph = Subgraph("s", "S", Graph(), (Slot("a", "X"), Slot("b", "Y"), Slot("a", "Z"), Slot("a", "X")))
    node = Node("1", "s", inputs=(Input("a", "*", "1"), Input("a", "*", "2"), Input("other", "*", "3")))
    assert host_slots(subgraph, node) == (
        Input("a", "X", "1"),
        Input("b", "Y"),
        Input("a", "Z", "2"),
        Input("a", "X"),
    )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "image", True),
        ("IMAGE", "MASK", False),
        ("*", "MASK", True),
        ("", "MASK", True),
        ("0", "MASK", True),
        ("INT,FLOAT", "FLOAT", True),
        ("INT,FLOAT", "float", True),
        ("INT,FLOAT", "STRING", False),
        ("INT,FLOAT", "FLOAT,STRING", True),
        ("INT,FLOAT", "MASK,STRING", False),
        ("INT", "INTEGER", False),
        ("a,B", "A,b", True),
    ],
)
def test_types_fit_as_lists_without_case_and_a_star_fits_all(a: str, b: str, expected: bool) -> None:
    assert (compatible(a, b), compatible(b, a)) == (expected, expected)


class TestBypass:
    @pytest.mark.parametrize("target", ["*", ""])
    @pytest.mark.parametrize(
        ("types", "slot", "expected"),
        [(("MASK", "IMAGE"), 1, 1), (("MASK", "IMAGE"), 0, 0), (("MASK", "IMAGE"), 2, 0), ((), 0, None), ((), 1, None)],
    )
    def test_to_a_target_of_any_type_the_input_of_the_same_number_is_passed_or_the_first(
        self, target: str, types: tuple[str, ...], slot: int, expected: int | None
    ) -> None:
        assert bypass_slot(inputs(*types), slot, "LATENT", target) == expected

    def test_the_input_of_the_same_number_goes_first_where_it_fits_both(self) -> None:
        assert bypass_slot(inputs("IMAGE", "IMAGE"), 1, "IMAGE", "IMAGE") == 1
        assert bypass_slot(inputs("IMAGE", "IMAGE"), 2, "IMAGE", "IMAGE") == 0
        assert bypass_slot(inputs("IMAGE", "*"), 1, "IMAGE", "IMAGE") == 1

    def test_then_an_input_of_exactly_the_target_s_type(self) -> None:
        assert bypass_slot(inputs("MASK", "*", "IMAGE"), 0, "IMAGE", "IMAGE") == 2
        assert bypass_slot(inputs("INT", "IMAGE"), 0, "MASK", "IMAGE") == 1

    def test_at_last_the_first_that_fits_the_output_and_the_target(self) -> None:
        assert bypass_slot(inputs("MASK", "*", "IMAGE,MASK"), 0, "IMAGE", "IMAGE") == 1
        assert bypass_slot(inputs("STRING", "INT,FLOAT"), 0, "FLOAT", "INT") == 1
        assert bypass_slot(inputs("MASK", "INT,MASK", "INT,FLOAT"), 0, "FLOAT", "INT") == 2
        assert bypass_slot(inputs("MASK", "IMAGE,MASK"), 0, "IMAGE", "LATENT,STRING") is None

    @pytest.mark.parametrize(("output", "target"), [("IMAGE", "LATENT"), ("LATENT", "IMAGE,MASK,STRING")])
    def test_an_input_that_fits_only_one_of_both_is_not_passed(self, output: str, target: str) -> None:
        assert bypass_slot(inputs("IMAGE", "MASK"), 0, output, target) is None

    def test_without_inputs_nothing_is_passed(self) -> None:
        assert bypass_slot((), 0, "IMAGE", "IMAGE") is None
