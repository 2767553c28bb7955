"""Where the links of a prompt lead: through muted, bypassed and virtual nodes, and into and out of subgraphs."""

from typing import Any

import pytest

from pycomfy.core.prompt.convert import convert, try_convert
from pycomfy.core.prompt.lost_values import LostValue
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadWorkflow, ErrorGroup, UnknownNode
from tests.support.graphs import OBJECT_INFO, Json, chain, inputs_of, linked, node, parsed, slot, subgraph, ui, widget


def image(workflow: Json) -> object:
    """What the node 9 saves."""
    return inputs_of(workflow)["9"].get("images")


def with_subgraph(workflow: Json, *definitions: Json) -> Json:
    return {**workflow, "definitions": {"subgraphs": list(definitions)}}


def hosted(*links: Any, inner: Any = (), inputs: Any = (), outputs: Any = (), host: Json | None = None) -> Json:
    """Photo 1 into input 0 of the host 2, whose output 0 goes to Save 9."""
    graph = subgraph("sg", list(inner), list(links), list(inputs), list(outputs))
    one = host if host is not None else node(2, "sg", linked("a", 8))
    return with_subgraph(chain(one, links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]]), graph)


def lost(workflow: Json) -> dict[str, str]:
    return {one.place: one.why for one in try_convert(parsed(workflow), OBJECT_INFO).lost}


class TestSubgraphs:
    def test_the_first_link_of_an_output_that_exists_counts(self) -> None:
        inner = [node(5, "Blur", linked("image", 80)), node(6, "Blur", linked("image", 80))]
        workflow = hosted(
            [80, -10, 0, 5, 0, ""],
            [91, 6, 0, -20, 0, ""],
            [92, 5, 0, -20, 0, ""],
            inner=inner,
            inputs=[slot("a", "IMAGE", 80)],
            outputs=[slot("o", "IMAGE", 90, 91, 92)],
        )
        assert image(workflow) == ["2:6", 0]

    def test_an_output_that_nothing_is_linked_to_gives_nothing_and_is_not_lost(self) -> None:
        workflow = hosted(outputs=[slot("o", "IMAGE")])
        assert image(workflow) is None and "9.images" not in lost(workflow)

    @pytest.mark.parametrize(
        ("outputs", "links", "inputs", "why"),
        [
            ([], [], [], "the subgraph of node 2 has no output 0"),
            (
                [slot("o", "", 90)],
                [[90, -10, 3, -20, 0, ""]],
                [slot("a", "", 90)],
                "the subgraph of node 2 has no input 3",
            ),
            (
                [slot("o", "", 90)],
                [[90, -10, 1, -20, 0, ""]],
                [slot("a", "", 90)],
                "the subgraph of node 2 has no input 1",
            ),
            ([slot("o", "", 90)], [[90, 7, 0, -20, 0, ""]], [], "there is no node 2:7"),
        ],
    )
    def test_a_link_that_leads_nowhere_is_told(
        self, outputs: list[Json], links: list[Any], inputs: list[Json], why: str
    ) -> None:
        workflow = hosted(*links, inputs=inputs, outputs=outputs)
        assert image(workflow) is None and lost(workflow)["9.images"] == why

    @pytest.mark.parametrize("lacking", [4, -1])
    def test_an_input_that_the_subgraph_lacks_is_told(self, lacking: int) -> None:
        inner = [node(5, "Save", linked("images", 80))]
        workflow = hosted(
            [80, -10, lacking, 5, 0, ""], inner=inner, inputs=[slot("a", "IMAGE")], outputs=[slot("o", "IMAGE")]
        )
        assert lost(workflow) == {"2:5.images": f"the subgraph has no input {lacking}"}

    def test_a_link_from_the_outermost_graph_s_input_is_told(self) -> None:
        workflow = ui([node(9, "Save", linked("images", 9))], [[9, -10, 0, 9, 0, "IMAGE"]])
        assert lost(workflow) == {"9.images": "the subgraph has no input 0"}

    def test_a_link_from_a_node_that_is_gone_or_a_slot_below_zero_is_told(self) -> None:
        assert lost(ui([node(9, "Save", linked("images", 9))], [[9, 7, 0, 9, 0, ""]])) == {
            "9.images": "there is no node 7"
        }
        assert lost(chain(links=[[9, 1, -1, 9, 0, ""]])) == {"9.images": "there is no node 1"}

    def test_bypassing_inside_goes_by_the_type_of_the_host_s_input(self) -> None:
        """The type of the target is that of the slot which the link leaves the subgraph by."""
        mix = node(3, "Mix", linked("mask", 6), linked("first", 7), mode=4)
        inner = [node(5, "Save", linked("images", 80))]
        workflow = with_subgraph(
            ui(
                [node(1, "Photo", values=("x.png",)), mix, node(2, "sg", linked("a", 8))],
                [[6, 1, 1, 3, 0, "MASK"], [7, 1, 0, 3, 1, "IMAGE"], [8, 3, 0, 2, 0, "*"]],
            ),
            subgraph("sg", inner, [[80, -10, 0, 5, 0, ""]], [slot("a", "MASK", 80)], []),
        )
        assert inputs_of(workflow)["2:5"].get("images") == ["1", 1]

    def test_a_host_that_passes_an_input_through_keeps_its_number(self) -> None:
        workflow = hosted(
            [90, -10, 1, -20, 0, ""],
            inputs=[slot("a", "MASK"), slot("b", "IMAGE", 90)],
            outputs=[slot("o", "IMAGE", 90)],
            host=node(2, "sg", linked("a", None), linked("b", 8)),
        )
        assert image(workflow) == ["1", 0]


class TestVirtual:
    @pytest.mark.parametrize(
        ("middle", "why"),
        [
            (node(2, "GetNode", values=("x",)), "no node sets what node 2 gets"),
            (node(2, "Note"), "node 2 exists in the editor only, and passes nothing on"),
        ],
    )
    def test_one_that_passes_nothing_on_is_told(self, middle: Json, why: str) -> None:
        workflow = chain(middle, links=[[9, 2, 0, 9, 0, "IMAGE"]])
        assert image(workflow) is None and lost(workflow) == {"9.images": why}

    @pytest.mark.parametrize("middle", [node(2, "Reroute"), node(2, "Reroute", linked("", None))])
    def test_a_reroute_without_a_link_gives_nothing_and_is_not_lost(self, middle: Json) -> None:
        workflow = chain(middle, links=[[9, 2, 0, 9, 0, "IMAGE"]])
        assert image(workflow) is None and lost(workflow) == {}

    def test_a_get_of_a_set_without_an_input_gives_nothing(self) -> None:
        middle = (node(2, "SetNode", values=("x",)), node(3, "GetNode", values=("x",)))
        workflow = chain(*middle, links=[[9, 3, 0, 9, 0, "IMAGE"]])
        assert image(workflow) is None and lost(workflow) == {}

    def test_the_first_input_of_several_is_passed_on(self) -> None:
        middle = node(2, "Reroute", linked("a", 8), linked("b", 7))
        workflow = chain(middle, links=[[7, 1, 1, 2, 1, "MASK"], [8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]])
        assert image(workflow) == ["1", 0]

    def test_a_primitive_without_a_value_sets_nothing_and_one_that_is_off_sets_its_value(self) -> None:
        def width(**more: Any) -> object:
            one = node(1, "PrimitiveNode", outputs=["INT"], **more)
            blank = node(2, "Blank", widget("width", 1), values=(3, 4))
            return inputs_of(ui([one, blank], [[1, 1, 0, 2, 0, "INT"]]))["2"]["width"]

        assert width() == 3 and width(values=(7, "fixed")) == 7
        assert width(values=(7, "fixed"), mode=2) == width(values=(7, "fixed"), mode=4) == 7

    def test_a_server_s_own_node_of_a_virtual_name_is_a_node(self) -> None:
        info = {**OBJECT_INFO, "GetNode": OBJECT_INFO["Blur"]}
        middle = node(2, "GetNode", linked("image", 8), values=(2.0,))
        workflow = chain(middle, links=[[8, 1, 0, 2, 0, "IMAGE"], [9, 2, 0, 9, 0, "IMAGE"]])
        assert inputs_of(workflow, info)["9"]["images"] == ["2", 0]


class TestCycles:
    def test_a_cycle_is_told_with_the_input_that_it_was_found_from_and_the_rest_is_converted(self) -> None:
        middle = [node(2, "Reroute", linked("", 7)), node(3, "Reroute", linked("", 8))]
        workflow = chain(*middle, links=[[7, 3, 0, 2, 0, ""], [8, 2, 0, 3, 0, ""], [9, 2, 0, 9, 0, ""]])
        found = try_convert(parsed(workflow), OBJECT_INFO)
        (problem,) = found.problems
        assert isinstance(problem, BadWorkflow) and problem.what == "the links form a cycle"
        assert problem.where == "input images of node 9" and list(found.prompt) == ["1"]

    def test_two_inputs_may_come_the_same_way(self) -> None:
        workflow = ui(
            [
                node(1, "Photo", values=("x.png",)),
                node(2, "Reroute", linked("", 8)),
                node(3, "Mix", linked("mask", None), linked("first", 6), linked("second", 7)),
                node(4, "Blur", linked("image", 5), mode=2),
                node(5, "Mix", linked("mask", None), linked("first", 4), linked("second", 3)),
            ],
            [
                [8, 1, 0, 2, 0, ""],
                [6, 2, 0, 3, 1, ""],
                [7, 2, 0, 3, 2, ""],
                [4, 4, 0, 5, 1, ""],
                [3, 2, 0, 5, 2, ""],
            ],
        )
        values = inputs_of(workflow)
        assert values["3"] == {"first": ["1", 0], "second": ["1", 0]} and values["5"] == {"second": ["1", 0]}


class TestConversion:
    def test_what_is_left_out_and_lost_is_remarked_on_and_judged(self) -> None:
        workflow = ui([node(1, "Blank", values=(1, 2, 3)), node(2, "A note\x1b"), node(3, "Blank")], [])
        remarks: list[str] = []
        assert list(convert(parsed(workflow), OBJECT_INFO, remarks.append)) == ["1", "3"]
        left_out, warning = remarks
        assert left_out.startswith("node 2 (A note\x1b)")
        assert left_out.endswith("is left out: ComfyUI lacks its type, and nothing can be linked to it")
        assert warning.startswith("warning: 1[2] (Blank)")
        judged: list[LostValue] = []
        remarks.clear()
        convert(parsed(workflow), OBJECT_INFO, remarks.append, judged.extend)
        assert [one.place for one in judged] == ["1[2]"] and len(remarks) == 1

    def test_values_of_an_unknown_type_are_not_said_to_be_lost_and_its_problem_comes_once(self) -> None:
        found = try_convert(parsed(ui([node(1, "Foo", outputs=["X"], values=(1, 2))], [])), OBJECT_INFO)
        assert len(found.problems) == 1 and found.lost == () and found.left_out == {}

    def test_a_bypassed_host_below_the_top_hides_only_what_would_run(self) -> None:
        inner = subgraph("inner", [node(5, "Save", linked("images", None)), node(6, "Blank")], [], [], [])
        outer = subgraph("outer", [node(4, "inner", mode=4)], [], [], [])
        workflow = with_subgraph(ui([node(3, "outer")], []), inner, outer)
        assert list(inputs_of(workflow)) == ["3:4:6"]
        workflow["nodes"][0]["mode"] = 4
        assert list(inputs_of(workflow)) == []
        workflow["nodes"][0]["mode"] = workflow["definitions"]["subgraphs"][1]["nodes"][0]["mode"] = 0
        assert sorted(inputs_of(workflow)) == ["3:4:5", "3:4:6"]

    def test_an_unknown_node_in_a_bypassed_host_is_not_told(self) -> None:
        inner = subgraph("inner", [node(5, "Foo", outputs=["X"])], [], [], [])
        outer = subgraph("outer", [node(4, "inner", mode=4)], [], [], [])
        assert inputs_of(with_subgraph(ui([node(3, "outer")], []), inner, outer)) == {}

    def test_a_title_is_the_node_s_own_or_its_type_s(self) -> None:
        nodes = [node(1, "Load"), node(2, "Load", title="Mine"), node(3, "Blank")]
        titles = [n["_meta"]["title"] for n in convert(parsed(ui(nodes, [])), OBJECT_INFO).values()]
        assert titles == ["Load It", "Mine", "Blank"]


class TestUnknownTypes:
    def problem(self, **properties: object) -> UnknownNode:
        one = node(1, "Foo", outputs=["X"], title="My node", properties=properties)
        (found,) = try_convert(parsed(ui([one], [])), OBJECT_INFO).problems
        assert isinstance(found, UnknownNode) and found.where == 'node 1 "My node" of test.json'
        assert found.what == 'unknown node type "Foo": the definitions lack it'
        return found

    @pytest.mark.parametrize(
        ("properties", "fix"),
        [
            ({}, "use the definitions of a ComfyUI that has it: a newer one, or one with the node's pack"),
            ({"cnr_id": 3}, "use the definitions of a ComfyUI that has it: a newer one, or one with the node's pack"),
            ({"cnr_id": "a-pack"}, "install the node pack a-pack"),
            ({"cnr_id": "a-pack", "aux_id": "o/r", "ver": "1.2"}, "install the node pack a-pack (SAVED with 1.2)"),
            ({"aux_id": "o/r", "ver": 3}, "install the node pack o/r"),
            ({"aux_id": "o/r", "ver": ""}, "install the node pack o/r"),
            ({"cnr_id": "comfy-core", "ver": "0.9"}, "use a ComfyUI that has this node (SAVED with 0.9)"),
        ],
    )
    def test_how_to_get_it_depends_on_what_the_workflow_says(self, properties: Json, fix: str) -> None:
        assert self.problem(**properties).fix == fix.replace("SAVED", "the workflow was saved")

    @pytest.mark.parametrize(("count", "more"), [(1, ""), (2, ", and 1 more node"), (3, ", and 2 more nodes")])
    def test_a_type_of_several_nodes_is_told_once_with_their_number(self, count: int, more: str) -> None:
        nodes = [node(1 + n, "Foo", outputs=["X"]) for n in range(count)]
        (found,) = try_convert(parsed(ui([*nodes, node(9, "Blank")], [])), OBJECT_INFO).problems
        assert found.where == f'node 1 "Foo" of test.json{more}'

    def test_without_a_title_the_type_is_shown(self) -> None:
        (found,) = try_convert(parsed(ui([node(1, "Foo", outputs=["X"])], [])), OBJECT_INFO).problems
        assert found.where == 'node 1 "Foo" of test.json'

    @pytest.mark.parametrize(
        ("properties", "replaced"),
        [({}, True), ({"cnr_id": "comfy-core"}, True), ({"cnr_id": "other"}, False), ({"aux_id": "o/r"}, False)],
    )
    def test_a_former_type_of_comfyui_s_is_only_replaced_where_no_pack_is_named(
        self, properties: Json, replaced: bool
    ) -> None:
        one = node(1, "T2IAdapterLoader", outputs=["X"], properties=properties)
        (found,) = try_convert(parsed(ui([one], [])), {"ControlNetLoader": {}}).problems
        assert ("replaced it by" in found.what, "replace the node by ControlNetLoader" in found.fix) == (replaced,) * 2

    def test_all_of_a_prompt_are_told_and_its_titles_kept(self) -> None:
        prompt = '{"1": {"class_type": "Foo", "inputs": {"a": 1}, "_meta": {"title": "T"}}, "2": {"class_type": "Bar", "inputs": {}}, "3": {"class_type": "Blank", "inputs": {}}}'  # noqa: E501
        workflow = parse_workflow(prompt, where="w.json")
        with pytest.raises(ErrorGroup) as raised:
            convert(workflow, OBJECT_INFO)
        assert [p.where for p in raised.value.problems] == ['node 1 "T" of w.json', 'node 2 "Bar" of w.json']
        made = try_convert(workflow, OBJECT_INFO).prompt
        assert made["1"] == {"class_type": "Foo", "inputs": {"a": 1}, "_meta": {"title": "T"}}
        assert "_meta" not in made["2"]
