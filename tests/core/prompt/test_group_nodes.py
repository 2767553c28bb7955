"""A group node becomes a subgraph: the names and order of its inputs, widgets and outputs, and what it is wired to."""

from typing import Any

import pytest

from pycomfy.core.prompt import group_nodes as module
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.group_nodes import GroupNodes
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.workflow.model import SUBGRAPH_INPUT, SUBGRAPH_OUTPUT, Input, Link, Node, Slot, Subgraph
from tests.support.graphs import Json, definition, linked, node, parsed, ui, widget

INFO: Json = {
    "Blur": definition({"image": ["IMAGE"], "radius": ["INT"]}, outputs=["IMAGE"]),
    "Split": definition({"image": ["IMAGE"], "mode": [["a", "b"]]}, outputs=["IMAGE", "MASK"]),
    "Seed": definition({"seed": ["INT"], "n": ["INT"]}, outputs=["INT"]),
    "Size": definition({"width": ["INT", {"default": 1}], "height": ["INT", {"default": 2}]}, outputs=["LATENT"]),
    "Three": definition({"m": ["INT"], "k": ["INT"], "z": ["INT"]}, outputs=["INT"]),
    "Noise": definition({"noise_seed": ["INT"]}, outputs=["INT"]),
    "Chance": definition({"seed": ["FLOAT"], "n": ["INT"]}, outputs=["FLOAT"]),
    "Pick": definition({"file": [[]]}, outputs=["MODEL"]),
}


def group(*nodes: Json, links: Any = (), **more: Any) -> Json:
    return {"nodes": list(nodes), "links": list(links), **more}


def inside(type_: str, *inputs: Json, **more: Any) -> Json:
    made = node(0, type_, *inputs, **more)
    del made["id"]
    return made


def opened(saved: Json, *inputs: Json, **use: Any) -> tuple[Node, Subgraph]:
    """The host and the subgraph of a use `7` of the group, with these values and inputs."""
    type_ = use.pop("type_", "workflow>G")
    workflow = parsed(ui([node(7, type_, *inputs, **use)], [], extra={"groupNodes": {"G": saved}}))
    found = GroupNodes(workflow.groups, Definitions(INFO)).open(workflow.graph.nodes[0])
    assert found is not None
    return found


def shown(saved: Json, *inputs: Json, **use: Any) -> tuple[list[str], list[str]]:
    """The names of the inputs and outputs."""
    _, subgraph = opened(saved, *inputs, **use)
    return [s.name for s in subgraph.inputs], [s.name for s in subgraph.outputs]


def values(saved: Json, *given: Any, **use: Any) -> list[Any]:
    """The values by name of each node inside, for a use with these values; those of a primitive by position."""
    _, subgraph = opened(saved, values=given, **use)
    return [n.named if n.named is not None else n.values for n in subgraph.graph.nodes]


@pytest.mark.parametrize("type_", ["workflow>G", "workflow/G"])
def test_a_node_named_after_a_group_is_opened(type_: str) -> None:
    host, subgraph = opened(group(inside("Blur")), type_=type_)
    assert (host.id, host.type, subgraph.id, subgraph.name) == ("7", type_, "workflow>G", "G")


@pytest.mark.parametrize("type_", ["G", "workflow>H", "workflow", "other>G", "Something.G", "workflow.G"])
def test_another_node_is_none(type_: str) -> None:
    assert GroupNodes({"G": group()}, Definitions(INFO)).open(Node("7", type_)) is None


def test_its_inputs_lead_to_the_nodes_inside_and_its_outputs_from_them() -> None:
    saved = group(
        inside("Blur", linked("image", 3)), inside("Split", linked("image", 1)), links=[[0, 0, 1, 0, 1, "IMAGE"]]
    )
    _, subgraph = opened(saved)
    assert subgraph.inputs == (Slot("image", "IMAGE", ("i0",)),)
    assert subgraph.outputs == (Slot("IMAGE", "IMAGE", ("o0",)), Slot("MASK", "MASK", ("o1",)))
    assert subgraph.graph.links == {
        "g0": Link("g0", "0", 0, "1", 0, "IMAGE"),
        "i0": Link("i0", SUBGRAPH_INPUT, 0, "0", -1, "IMAGE"),
        "o0": Link("o0", "1", 0, SUBGRAPH_OUTPUT, 0, "IMAGE"),
        "o1": Link("o1", "1", 1, SUBGRAPH_OUTPUT, 1, "MASK"),
    }
    assert [n.inputs for n in subgraph.graph.nodes] == [(Input("image", "*", "i0"),), (Input("image", "*", "g0"),)]


def test_inputs_that_the_saved_nodes_lack_are_added_to_them() -> None:
    _, subgraph = opened(group(inside("Blur"), inside("Blur")))
    assert [n.inputs for n in subgraph.graph.nodes] == [(Input("image", "*", "i0"),), (Input("image", "*", "i1"),)]


@pytest.mark.parametrize(
    "link",
    [
        "x",
        {"a": 0, "b": 0, "c": 1, "d": 0},
        [0, 0, 1],
        [0, 0, 1, "0"],
        [True, 0, 1, 0],
        [None, 0, 1, 0],
        [-1, 0, 1, 0],
        [2, 0, 1, 0],
        [0, 0, -1, 0],
        [0, 0, 2, 0],
        [0, -1, 1, 0],
    ],
)
def test_a_link_from_outside_or_a_malformed_one_is_none_inside(link: Any) -> None:
    names, outputs = shown(group(inside("Blur", linked("image", 1)), inside("Blur", linked("image", 1)), links=[link]))
    assert len(names) == len(outputs) == 2


@pytest.mark.parametrize(
    ("link", "type_"),
    [
        ([0, 0, 1, 0], "*"),
        ([0, 0, 1, 0, 3], "*"),
        ([0, 0, 1, 0, 3, "IMAGE"], "IMAGE"),
        ([0, 0, 1, 0, 3, 5], "*"),
        ([0, 0, 1, 0, None, "X"], "X"),
    ],
)
def test_a_link_inside_has_the_type_that_is_saved_after_the_number_of_its_node(link: Any, type_: str) -> None:
    saved = group(inside("Blur", linked("image", 1)), inside("Blur", linked("image", 1)), links=["no link", link])
    _, subgraph = opened(saved)
    assert subgraph.graph.links["g1"] == Link("g1", "0", 0, "1", 0, type_)


def test_a_link_may_lead_to_a_node_before_it() -> None:
    saved = group(
        inside("Blur", linked("image", 1)), inside("Blur", linked("image", None)), links=[[1, 0, 0, 0, 1, "X"]]
    )
    _, subgraph = opened(saved)
    assert [n.inputs[0].link for n in subgraph.graph.nodes] == ["g0", "i0"]


@pytest.mark.parametrize(("wrong", "names"), [("nodes", []), ("links", ["image"])])
def test_what_is_no_list_is_empty(wrong: str, names: list[str]) -> None:
    assert shown({**group(inside("Blur")), wrong: 3})[0] == names


def test_what_is_not_a_node_inside_has_no_type() -> None:
    assert shown(group("x", inside("Blur"))) == (["image"], ["IMAGE"])  # type: ignore[arg-type]


def test_a_group_has_no_more_nodes_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.MAX_INNER == 10_000
    monkeypatch.setattr(module, "MAX_INNER", 2)
    assert len(opened(group(*[inside("Blur")] * 3))[1].graph.nodes) == 2


class TestNames:
    def test_a_name_that_is_taken_gets_title_or_type_before_it_and_then_a_number(self) -> None:
        nodes = [inside("Blur", title=title) for title in ("", "", "", "Mine", "Mine", "")]
        names, outputs = shown(group(*nodes))
        assert names == ["image", "Blur image", "Blur 2 image", "Mine image", "Mine 2 image", "Blur 3 image"]
        assert outputs == ["IMAGE", "Blur IMAGE", "Blur 2 IMAGE", "Mine IMAGE", "Mine 4 IMAGE", "Blur 5 IMAGE"]

    def test_a_name_that_is_free_has_no_title_before_it(self) -> None:
        assert shown(group(inside("Blur", title="Mine"))) == (["image"], ["IMAGE"])

    def test_inputs_and_outputs_have_the_names_that_the_author_gave(self) -> None:
        config = {
            "0": {"input": {"image": {"name": "picture"}, "radius": {"name": "r"}}, "output": {"0": {"name": "soft"}}},
            "1": {
                "input": {"image": {"name": 3}, "mode": {"name": ""}},
                "output": {"0": {"name": ""}, "1": {"name": 3}},
            },
        }
        saved = group(inside("Blur"), inside("Split"), config=config)
        assert shown(saved) == (["picture", "image"], ["soft", "IMAGE", "MASK"])
        assert opened(saved, widgets_values_named={"r": 3, "mode": "b"})[1].graph.nodes[0].named == {"radius": 3}

    @pytest.mark.parametrize("visible", [False, True, "no", None])
    def test_an_input_that_is_hidden_is_not_shown(self, visible: object) -> None:
        config = {"0": {"input": {"image": {"visible": visible}}}}
        assert shown(group(inside("Blur"), config=config))[0] == ([] if visible is False else ["image"])

    def test_a_hidden_input_keeps_its_name_for_itself(self) -> None:
        config = {"0": {"input": {"image": {"visible": False}}}}
        assert shown(group(inside("Blur"), inside("Blur"), config=config))[0] == ["Blur image"]

    @pytest.mark.parametrize("config", [3, {"0": 3}, {"0": {"input": 3}}, {"0": {"input": {"image": 3}}}])
    def test_a_malformed_configuration_counts_as_none(self, config: object) -> None:
        assert shown(group(inside("Blur"), config=config)) == (["image"], ["IMAGE"])


class TestOutputs:
    BOTH = (inside("Blur", linked("image", None)), inside("Blur", linked("image", 1)))

    def both(self, **more: Any) -> list[str]:
        return shown(group(*self.BOTH, links=[[0, 0, 1, 0, 1, "IMAGE"]], **more))[1]

    def test_an_output_that_is_used_inside_is_hidden(self) -> None:
        assert self.both() == ["IMAGE"]
        _, subgraph = opened(group(*self.BOTH, links=[[0, 0, 1, 0, 1, "IMAGE"]]))
        assert subgraph.graph.links["o0"].origin == "1"

    def test_unless_something_outside_used_it_too(self) -> None:
        assert self.both(external=[[0, 0, "IMAGE"]]) == ["IMAGE", "Blur IMAGE"]

    @pytest.mark.parametrize(
        "external",
        [
            3,
            ["x"],
            [{"a": 1, "b": 2, "c": 3}],
            [[0, 0]],
            [[0, 0, None]],
            [["0", 0, "IMAGE"]],
            [[0, "0", "IMAGE"]],
            [[1, 0, "IMAGE"]],
        ],
    )
    def test_a_malformed_entry_or_one_of_another_output_changes_nothing(self, external: object) -> None:
        assert self.both(external=external) == ["IMAGE"]

    @pytest.mark.parametrize(
        ("visible", "count"), [({"0": True}, 2), ({"0": "yes"}, 1), ({"0": None}, 1), ({"1": True}, 1)]
    )
    def test_or_its_author_shows_it(self, visible: Json, count: int) -> None:
        config = {"0": {"output": {slot: {"visible": value} for slot, value in visible.items()}}}
        assert len(self.both(config=config)) == count

    def test_an_output_that_its_author_hides_is_hidden(self) -> None:
        assert self.both(config={"1": {"output": {"0": {"visible": False}}}}) == []
        assert shown(group(inside("Split"), config={"0": {"output": {"0": {"visible": False}}}}))[1] == ["MASK"]


class TestReroutes:
    def test_a_reroute_shows_the_sides_that_nothing_inside_is_linked_to(self) -> None:
        reroute = inside("Reroute", linked("in", None), outputs=["IMAGE"])
        host, subgraph = opened(group(reroute))
        assert (subgraph.inputs, subgraph.outputs) == (
            (Slot("IMAGE", "IMAGE", ("i0",)),),
            (Slot("IMAGE", "IMAGE", ("o0",)),),
        )
        assert subgraph.graph.nodes[0].inputs == (Input("in", "*", "i0"),)
        assert [i.name for i in host.inputs] == ["IMAGE"]
        assert shown(group(reroute, inside("Blur", linked("image", 1)), links=[[0, 0, 1, 0, 1, "IMAGE"]])) == (
            ["IMAGE"],
            ["IMAGE"],
        )
        after = group(inside("Split", linked("image", None)), reroute, links=[[0, 1, 1, 0, 1, "MASK"]])
        assert shown(after) == (["image"], ["IMAGE", "IMAGE"])

    def test_its_output_is_shown_where_something_outside_used_it(self) -> None:
        reroute = inside("Reroute", linked("in", None), outputs=["IMAGE"])
        saved = group(reroute, inside("Blur", linked("image", 1)), links=[[0, 0, 1, 0, 1, "IMAGE"]])
        assert len(shown({**saved, "external": [[0, 0, "IMAGE"]]})[1]) == 2

    def test_without_sockets_it_has_any_type_and_no_name(self) -> None:
        _, subgraph = opened(group(inside("Reroute")))
        assert (subgraph.inputs[0][:2], subgraph.outputs[0][:2]) == (("*", "*"), ("*", "*"))
        assert subgraph.graph.nodes[0].inputs == (Input("", "*", "i0"),)


class TestPrimitives:
    def primitive(self, link_type: str, **more: Any) -> Json:
        one = inside("PrimitiveNode", values=(5, "fixed"), outputs=[link_type], **more)
        return group(
            inside("Size"),
            one,
            inside("Size", widget("width", 1)),
            links=[[1, 0, 2, 0, 1, link_type], [1, 0, 2, 1, 1, "X"]],
        )

    def test_the_value_of_a_primitive_that_feeds_something_is_a_widget(self) -> None:
        assert values(self.primitive("INT"), 1, 2, 640, "fixed", 480)[1:] == [(640,), {"width": 1, "height": 480}]
        assert values(self.primitive("FLOAT"), 1, 2, 0.5, 480)[1:] == [(0.5,), {"width": 1, "height": 480}]
        assert values(self.primitive("COMBO"), 1, 2, "a", "fixed", "", 480)[1:] == [("a",), {"width": 1, "height": 480}]

    def test_its_type_is_that_of_its_own_first_link(self) -> None:
        saved = self.primitive("FLOAT")
        saved["links"] = [[0, 0, 2, 0, 1, "INT"], *saved["links"]]
        assert values(saved, 1, 2, 0.5, 480)[1:] == [(0.5,), {"width": 1, "height": 480}]

    def test_its_own_name_is_its_title_and_value(self) -> None:
        named = {"widgets_values_named": {"Edge value": 640}}
        assert values(self.primitive("INT", title="Edge"), **named)[1] == (640,)
        assert values(self.primitive("INT"), widgets_values_named={"value": 640})[1] == (640,)

    def test_one_that_feeds_nothing_shows_nothing(self) -> None:
        saved = group(inside("PrimitiveNode", values=(5, "fixed"), outputs=["INT"]), inside("Size"))
        assert values(saved, 640, 480) == [(5, "fixed"), {"width": 640, "height": 480}]
        assert shown(saved) == ([], ["LATENT"])


def seeded(seed: int, n: int) -> Json:
    """The control is the node's own: nothing sends it."""
    return {"seed": seed, "control_after_generate": "fixed", "n": n}


class TestValues:
    def test_the_values_of_a_use_are_those_of_the_widgets_in_order(self) -> None:
        saved = group(inside("Seed", values=(1, "fixed", 2)), inside("Size", values=(3, 4)))
        assert values(saved, 11, "randomize", 12, 13, 14) == [seeded(11, 12), {"width": 13, "height": 14}]

    def test_a_seed_has_its_control_also_under_a_longer_name(self) -> None:
        saved = group(inside("Seed", values=(1, "fixed", 2)), inside("Seed", values=(1, "fixed", 2)))
        assert values(saved, 11, "randomize", 12, 13, "fixed", 14) == [seeded(11, 12), seeded(13, 14)]

    def test_only_whole_numbers_have_a_control_because_of_their_name(self) -> None:
        assert values(group(inside("Chance", values=(1, 2))), 0.5, 7) == [{"seed": 0.5, "n": 7}]

    def test_a_noise_seed_has_one_too(self) -> None:
        saved = group(inside("Noise", values=(1, "fixed")), inside("Noise", values=(1, "fixed")), inside("Size"))
        assert values(saved, 11, "fixed", 12, "fixed", 13, 14)[1:] == [
            {"noise_seed": 12, "control_after_generate": "fixed"},
            {"width": 13, "height": 14},
        ]

    def test_a_missing_tail_has_the_defaults(self) -> None:
        saved = group(inside("Size", values=(3, 4)), inside("Size", values=(5, 6)))
        assert values(saved, 10) == [{"width": 10, "height": 2}, {"width": 1, "height": 2}]

    def test_values_by_name_are_those_of_the_group_s_names(self) -> None:
        saved = group(inside("Size", values=(3, 4)), inside("Size", values=(5, 6)))
        given = {"width": 10, "Size height": 20, "depth": 30}
        assert values(saved, widgets_values_named=given) == [{"width": 10, "height": 2}, {"width": 1, "height": 20}]
        host, _ = opened(saved, widgets_values_named=given)
        assert host.values == {"depth": 30} and host.named is None
        whole = ui([node(7, "workflow>G", widgets_values_named=given)], [], extra={"groupNodes": {"G": saved}})
        assert [lost.place for lost in try_convert(parsed(whole), INFO).lost] == ["7.depth"]

    def test_values_that_no_widget_takes_stay_with_the_host(self) -> None:
        host, _ = opened(group(inside("Size")), values=(1, 2, 3))
        assert host.values == {"[2]": 3} and host.named is None
        assert opened(group(inside("Size")), values=(1, 2))[0].values == {}

    def test_a_widget_that_is_linked_inside_keeps_its_own_value(self) -> None:
        size = inside("Size", widget("width", 1), values=(8, 16))
        saved = group(inside("Seed", values=(1, "fixed", 2)), size, links=[[0, 0, 1, 0, 1, "INT"]])
        assert values(saved, 11, "fixed", 12, 32)[1] == {"width": 8, "height": 32}

    def test_a_widget_that_was_made_an_input_comes_last_and_is_an_input_too(self) -> None:
        size = inside("Size", widget("height", None), widget("width", None), values=(8, 16))
        saved = group(size, inside("Blur"))
        assert shown(saved)[0] == ["image", "height", "width"]
        assert values(saved, 5, 32, 64) == [{"height": 32, "width": 64}, {"radius": 5}]
        two = group(inside("Blur", linked("image", None), widget("radius", None)), size)
        assert shown(two)[0] == ["image", "radius", "height", "width"]

    def test_widgets_that_were_made_inputs_are_in_the_order_of_the_file(self) -> None:
        assert shown(group(inside("Three", widget("z", None), widget("k", None))))[0] == ["z", "k"]

    def test_an_input_of_the_name_of_a_widget_that_says_nothing_of_it_is_none_of_these(self) -> None:
        assert shown(group(inside("Blur", linked("radius", None))))[0] == ["image"]

    def test_a_socket_that_the_file_takes_for_a_widget_is_a_socket(self) -> None:
        blur = inside("Blur", widget("image", None))
        assert shown(group(blur, inside("Split")))[0] == ["image", "Split image"]
        assert values(group(blur), 5) == [{"radius": 5}]

    def test_its_link_inside_is_found_by_its_own_number(self) -> None:
        size = inside("Size", linked("x", None), widget("width", 1), values=(8, 16))
        saved = group(inside("Seed"), size, links=[[0, 0, 1, 1, 1, "INT"]])
        assert shown(saved)[0] == [] and values(saved, 1, "fixed", 2, 32)[1] == {"width": 8, "height": 32}
        moved = group(inside("Seed"), size, links=[[0, 0, 1, 0, 1, "INT"]])
        assert shown(moved)[0] == ["width"]

    def test_a_socket_is_linked_by_the_number_that_it_has_in_the_file(self) -> None:
        blur = inside("Blur", widget("radius", None), linked("image", 1))
        assert shown(group(inside("Blur"), blur, links=[[0, 0, 1, 1, 1, "IMAGE"]]))[0] == ["image", "Blur radius"]
        assert shown(group(inside("Blur"), inside("Blur"), links=[[0, 0, 1, 0, 1, "IMAGE"]]))[0] == ["image"]

    def test_a_node_of_an_unknown_type_has_the_widgets_that_the_file_lists(self) -> None:
        odd = inside("Unknown", widget("n", None), linked("x", None), values=(3,), outputs=["X"])
        assert values(group(odd), 9) == [{"n": 9}]
        assert shown(group(odd)) == (["n"], [])

    def test_values_of_a_node_that_no_widget_takes_stay_with_it(self) -> None:
        assert values(group(inside("Size", values=(3, 4, 5))), 10, 20) == [{"[2]": 5, "width": 10, "height": 20}]

    def test_a_combo_without_choices_is_unset_until_it_has_a_value(self) -> None:
        assert values(
            group(inside("Pick")),
        ) == [{}]
        assert values(group(inside("Pick")), "a.pt") == [{"file": "a.pt"}]
        assert values(group(inside("Pick", values=("b.pt",)))) == [{}]

    def test_a_node_without_widgets_stays_as_it_is(self) -> None:
        saved = group(inside("Reroute", values=(1,)), inside("Size"))
        assert values(saved, 10, 20) == [(1,), {"width": 10, "height": 20}]


class TestHost:
    def test_links_are_taken_by_name(self) -> None:
        host, _ = opened(group(inside("Blur"), inside("Blur")), linked("Blur image", 2, "X"), linked("image", 1, "X"))
        assert host.inputs == (Input("image", "IMAGE", "1"), Input("Blur image", "IMAGE", "2"))

    def test_an_input_of_another_name_is_taken_by_its_number(self) -> None:
        host, _ = opened(group(inside("Blur"), inside("Blur")), linked("old name", 1), linked("Blur image", 2))
        assert host.inputs == (Input("image", "IMAGE", "1"), Input("Blur image", "IMAGE", "2"))
        host, _ = opened(group(inside("Blur"), inside("Blur")), linked("Blur image", 2))
        assert host.inputs == (Input("image", "IMAGE"), Input("Blur image", "IMAGE", "2"))
        host, _ = opened(group(inside("Blur"), inside("Blur")), linked("old", 1), linked("older", 2), linked("more", 3))
        assert [i.link for i in host.inputs] == ["1", "2"]
        host, _ = opened(group(inside("Blur")), linked("old", 1), linked("image", 2))
        assert [i.link for i in host.inputs] == ["2"]
