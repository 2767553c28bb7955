"""Reading workflows, broken and hostile ones too."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
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


@settings(max_examples=examples(200))
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_any_bytes_are_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(PycomfyError):
        parse_workflow(data, where="x")
