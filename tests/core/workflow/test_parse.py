"""Reading workflows, broken and hostile ones too."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import extract_workflow, parse_workflow
from pycomfy.core.workflow.untrusted_json import MAX_DEPTH
from pycomfy.errors import BadWorkflow, ErrorGroup, PycomfyError
from tests.support.properties import examples


def parsed(value: Any) -> Workflow:
    return parse_workflow(json.dumps(value), where="test.json")


NODE = {"id": 1, "type": "A"}


@pytest.mark.parametrize(
    ("value", "format_"),
    [
        ({"nodes": [NODE], "links": [], "version": 0.4}, "ui-0.4"),
        ({"nodes": [NODE], "links": [], "version": 1}, "ui-1"),
        ({"nodes": [NODE]}, "ui-0.4"),
        ({"1": {"class_type": "A", "inputs": {}}}, "api"),
    ],
)
def test_formats_are_told_apart(value: Any, format_: str) -> None:
    assert parsed(value).format == format_


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: {"workflow": w},
        lambda w: {"prompt": {"1": {"class_type": "B"}}, "extra_data": {"extra_pnginfo": {"workflow": w}}},
        lambda w: {"output": {"1": {"class_type": "B"}}, "workflow": w},
    ],
)
def test_wrappers_are_looked_through_and_the_editor_s_format_preferred(wrap: Any) -> None:
    assert parsed(wrap({"nodes": [NODE], "links": []})).graph.nodes[0].type == "A"


def test_a_request_to_the_server_holds_its_prompt() -> None:
    assert parsed({"prompt": {"1": {"class_type": "B"}}}).api[0].type == "B"


UI = {"nodes": [NODE], "links": []}
API = {"1": {"class_type": "A", "inputs": {}}}
OTHER = {"1": {"class_type": "B", "inputs": {}}}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"input": {"workflow": API, "images": [{"name": "a.png", "image": "aGk="}]}},  # worker-comfyui
        {"id": "sync-1", "input": json.dumps({"workflow": API})},
        {"version": "1", "input": {"workflow_json": json.dumps(API), "randomise_seeds": True}},  # cog-comfyui
        {"workflow_json": json.dumps(API)},
        {"id": "1", "prompt": API, "webhook_v2": "https://example.com", "convert_output": {}},  # comfyui-api
        {"workflow_api": API, "inputs": {}},  # ComfyDeploy
        {"client_id": "1", "prompt": API, "extra_data": {"extra_pnginfo": {}}},
        {"abc": {"prompt": [3, "abc", API, {"client_id": "1"}, ["1"]], "outputs": {}, "status": {}}},  # /history
        {"prompt": [3, "abc", API, {}, ["1"]], "outputs": {}},
        {"queue_running": [[3, "abc", API, {}, ["1"]]], "queue_pending": []},  # /queue
        {"workflow": {"prompt": API, "extra_data": {}}, "id": "abc"},
        json.dumps(API),
    ],
)
def test_requests_to_other_servers_and_their_answers_hold_a_workflow(wrapped: Any) -> None:
    workflow = parsed(wrapped)
    assert (workflow.format, [n.type for n in workflow.api]) == ("api", ["A"])


def test_an_entry_of_the_history_is_read_in_the_editor_s_format() -> None:
    history = {"abc": {"prompt": [3, "abc", OTHER, {"extra_pnginfo": {"workflow": UI}}, ["1"]], "outputs": {}}}
    assert parsed(history).format == "ui-0.4"


def test_one_workflow_in_both_formats_or_twice_is_one() -> None:
    assert parsed({"workflow": UI, "input": {"workflow": API}}).format == "ui-0.4"
    entry = {"prompt": [3, "abc", API, {}, ["1"]]}
    assert parsed({"abc": entry, "def": entry}).format == "api"


def test_two_workflows_are_an_error_that_names_them() -> None:
    def entry(node: str) -> object:
        return {"prompt": [1, "x", {"1": {"class_type": node}}, {}, []], "outputs": {}}

    with pytest.raises(BadWorkflow, match="2 different workflows: abc, def"):
        parsed({"abc": entry("A"), "def": entry("B")})
    with pytest.raises(BadWorkflow, match="7 different workflows: 0, 1, 2, 3, 4 and 2 more"):
        parsed({str(n): entry(f"A{n}") for n in range(7)})
    with pytest.raises(BadWorkflow, match=r"2 different workflows: workflow, input\.workflow"):
        parsed({"workflow": UI, "input": {"workflow": OTHER}})


def test_a_workflow_that_is_text_says_what_is_wrong_with_it() -> None:
    with pytest.raises(BadWorkflow, match=r"input\.workflow_json is the address of a workflow"):
        parsed({"input": {"workflow_json": "https://example.com/a.json"}})
    with pytest.raises(BadWorkflow, match="not JSON") as raised:
        parsed({"input": {"workflow_json": "{1"}})
    assert raised.value.where == "input.workflow_json in test.json"
    with pytest.raises(BadWorkflow, match="not a ComfyUI workflow"):
        parsed({"prompt": "{a|b}"})


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({**API, "12": {"inputs": {}}}, "node 12 has no class_type"),
        ({"12": {"inputs": {"seed": 1}, "_meta": {}}}, "node 12 has no class_type"),
        ({"prompt": {**API, "12": {}}}, "node 12 has no class_type"),
        ({"input": {"workflow": {**API, "12": {}}}}, "node 12 has no class_type"),
        ({"12": {"class_type": None}}, "the class_type of node 12 is null"),
        ({"12": {"class_type": ""}}, "the class_type of node 12 is empty"),
        ({**API, "version": 3}, "node version is a number, not a node"),
    ],
)
def test_a_node_without_a_type_is_named(value: Any, what: str) -> None:
    with pytest.raises(BadWorkflow) as raised:
        parsed(value)
    assert raised.value.what == what


def test_every_node_without_a_type_is_named() -> None:
    with pytest.raises(ErrorGroup) as raised:
        parsed({**API, "2": {}, "3": {}})
    assert [p.what for p in raised.value.problems] == ["node 2 has no class_type", "node 3 has no class_type"]


def test_an_error_about_many_nodes_is_short() -> None:
    with pytest.raises(ErrorGroup) as raised:
        parsed({**API, **{str(n): {} for n in range(2, 50)}})
    assert raised.value.problems[-1].what == "28 more nodes have no class_type"


def test_many_workflows_take_no_quadratic_time() -> None:
    many = {str(n): {"prompt": [n, "x", {"1": {"class_type": f"A{n}"}}, {}, []]} for n in range(5_000)}
    with pytest.raises(BadWorkflow, match="5000 different workflows"):
        parsed(many)
    with pytest.raises(BadWorkflow, match="5001 different workflows"):
        parsed({**many, "x": {"prompt": [1, "x", OTHER, {"extra_pnginfo": {"workflow": UI}}, []]}} | {"0": many["0"]})


def test_a_list_of_node_packs_is_named_and_can_be_imported() -> None:
    with pytest.raises(BadWorkflow, match="a list of node packs, without a workflow") as raised:
        parsed({"custom_nodes": {"https://example.com/a": {"state": "installed", "hash": "-"}}, "unknown_nodes": []})
    assert "import" in raised.value.fix


@pytest.mark.parametrize("value", [UI, API, {"workflow": UI}, {"prompt": API, "extra_data": {"client_id": "1"}}])
def test_a_workflow_with_nothing_but_itself_is_kept_as_it_is(value: Any) -> None:
    data = json.dumps(value, indent=3).encode()
    assert extract_workflow(data, where="x") == data


@pytest.mark.parametrize(
    "value",
    [
        {"input": {"workflow": API, "api_key_comfy_org": "secret"}},
        {"workflow": API, "api_key_comfy_org": "secret"},
        {"workflow": API, "images": [{"name": "a.png", "image": "secret"}]},
        {"prompt": API, "extra_data": {"auth_token_comfy_org": "secret"}},
        {"prompt": [3, "abc", API, {"auth_token_comfy_org": "secret"}, ["1"]]},
        {"abc": {"prompt": [3, "abc", API, {"auth_token_comfy_org": "secret"}, ["1"]]}},
    ],
)
def test_keys_and_pictures_of_a_request_are_not_kept_with_its_workflow(value: Any) -> None:
    assert json.loads(extract_workflow(json.dumps(value).encode(), where="x")) == API


def test_nan_infinity_and_byte_order_marks_are_tolerated() -> None:
    text = '{"nodes": [{"id": 1, "type": "A", "widgets_values": [NaN, Infinity, -Infinity]}], "links": []}'
    for data in (text, b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        values = parse_workflow(data, where="x").graph.nodes[0].values
        assert isinstance(values, tuple)
        assert values[1] == float("inf")


def test_lone_surrogates_become_printable() -> None:
    workflow = parse_workflow('{"nodes": [{"id": 1, "type": "A", "title": "\\ud800x"}]}', where="x")
    assert workflow.graph.nodes[0].title.encode() == b"?x"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"\x80\x81",
        b"[]",
        b"null",
        b"3",
        b'"nodes"',
        b"{}",
        b'{"a": 1}',
        b'{"nodes": 1}',
        b'{"1": {"class_type": 3}}',
        b'{"1": {"class_type": "A", "inputs": []}}',
        b"[" * 100_000,
        b'{"nodes":' * 50_000,
        b"1" * 5000,
        b'{"nodes": [1]}',
        b'{"nodes": [{"id": 1}]}',
        b'{"nodes": [{"type": "A"}]}',
        b'{"nodes": [], "definitions": {"subgraphs": [{}]}}',
    ],
)
def test_what_is_no_workflow_is_an_error_with_where_and_fix(data: bytes) -> None:
    with pytest.raises(BadWorkflow) as raised:
        parse_workflow(data, where="bad.json")
    assert "bad.json" in raised.value.where
    assert raised.value.fix


def test_depth_is_bounded() -> None:
    def nested(depth: int) -> str:
        return '{"nodes": [], "extra": ' + "[" * depth + "]" * depth + "}"

    assert parse_workflow(nested(MAX_DEPTH - 2), where="x").format == "ui-0.4"
    with pytest.raises(BadWorkflow, match="deep"):
        parse_workflow(nested(MAX_DEPTH + 1), where="x")


def test_every_broken_node_is_told() -> None:
    with pytest.raises(ErrorGroup) as raised:
        parsed({"nodes": [{"id": 1}, {"type": "A"}, {"id": 2, "type": "B"}, 3]})
    assert len(raised.value.problems) == 3


def test_of_two_nodes_with_one_id_the_second_gets_a_new_one() -> None:
    nodes = [{"id": 2, "type": "A"}, {"id": 2, "type": "B"}, {"id": 4, "type": "C"}, {"id": 3, "type": "D"}]
    workflow = parsed({"nodes": nodes, "last_node_id": 2})
    assert [(n.id, n.type) for n in workflow.graph.nodes] == [("2", "A"), ("3", "B"), ("4", "C"), ("5", "D")]


def test_subgraph_definitions_inside_subgraphs_are_found() -> None:
    inner = {"id": "b", "name": "B", "nodes": [], "links": []}
    outer = {"id": "a", "name": "A", "nodes": [], "links": [], "definitions": {"subgraphs": [inner]}}
    assert set(parsed({"nodes": [], "definitions": {"subgraphs": [outer]}}).subgraphs) == {"a", "b"}


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)
NODE_KEYS = ("id", "type", "mode", "inputs", "outputs", "widgets_values", "widgets_values_named", "properties", "title")


@settings(max_examples=examples(200))
@given(
    st.fixed_dictionaries({"nodes": st.lists(st.dictionaries(st.sampled_from(NODE_KEYS), Json), max_size=4)}),
    Json,
    Json,
)
def test_any_json_is_a_workflow_or_an_error_of_ours(root: dict[str, Any], links: Any, definitions: Any) -> None:
    with contextlib.suppress(PycomfyError):
        parsed({**root, "links": links, "definitions": {"subgraphs": definitions}, "extra": definitions})


WRAPPER_KEYS = ("input", "workflow", "workflow_json", "prompt", "extra_data", "extra_pnginfo", "queue_running", "1")
Graph = st.sampled_from([UI, API, OTHER, {**API, "2": {}}]) | Json
Wrapper = st.recursive(
    Graph | Graph.map(json.dumps) | st.lists(Graph, max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(WRAPPER_KEYS), inner, max_size=3) | inner.map(json.dumps),
    max_leaves=8,
)


@settings(max_examples=examples(200))
@given(Wrapper)
def test_any_wrapper_is_a_workflow_or_an_error_of_ours(value: Any) -> None:
    data = json.dumps(value).encode()
    try:
        workflow = parse_workflow(data, where="x")
    except PycomfyError:
        return
    assert repr(parse_workflow(extract_workflow(data, where="x"), where="x")) == repr(workflow)


@settings(max_examples=examples(200))
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_any_bytes_are_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(PycomfyError):
        parse_workflow(data, where="x")
