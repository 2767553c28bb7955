"""Workflows that are large, or that grow when they are opened: refused where they would take all memory or time."""

import json
import random
import resource
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from pycomfy.core.prompt import group_nodes, lost_values, text_expansion
from pycomfy.core.prompt.convert import Conversion, convert, try_convert
from pycomfy.core.prompt.flatten import MAX_NESTING
from pycomfy.core.workflow import litegraph, parse, untrusted_json
from pycomfy.core.workflow.model import Node, Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadWorkflow, ErrorGroup, LostInput, UnknownNode
from pycomfy.gateway.graph import texts

SAVE = {"SaveImage": {"input": {"required": {"filename_prefix": ["STRING", {}]}}, "output": [], "name": "SaveImage"}}

GIGABYTE = 1 << 30


def parse_ui(nodes: object, **more: object) -> Workflow:
    return parse_workflow(json.dumps({"nodes": nodes, "links": [], **more}), where="x.json")


def node(id_: int, type_: str, **more: object) -> dict[str, object]:
    return {"id": id_, "type": type_, **more}


# — JSON —


@pytest.mark.parametrize(
    "filler",
    ["[]", "{}", "1", '"a"', '{"a":[]}', '"\\ud83d"'],
    ids=["lists", "objects", "ints", "texts", "keys", "pairs"],
)
def test_too_many_values_are_refused_before_they_take_memory(filler: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    count = min((60 << 20) // (len(filler) + 1), 15_000_000)
    path.write_text('{"nodes":[],"links":[],"extra":[' + ",".join([filler] * count) + "]}")
    code = (
        "import resource, sys; from pathlib import Path; from pycomfy.core.workflow.parse import parse_workflow\n"
        "from pycomfy.errors import BadWorkflow\n"
        "try: parse_workflow(Path(sys.argv[1]).read_bytes(), where='x')\n"
        "except BadWorkflow as e: print(e.what)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE)),
    )
    assert done.stdout.strip() in ("", "more than 12 million values") and not done.stderr


def test_values_are_counted_outside_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted_json, "MAX_SIZE", 20)
    assert parse_json(json.dumps({'a"[,\\': "[,:" * 100, "b": "\\" * 9 + '"'}), where="x")
    assert parse_json(json.dumps([1] * 20), where="x")
    with pytest.raises(BadWorkflow, match="million values"):
        parse_json(json.dumps([1] * 21), where="x")
    with pytest.raises(BadWorkflow, match="million values"):
        parse_json(json.dumps({f"{n}": 0 for n in range(7)}), where="x")


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\\\ud800x\udc00"', r'"\udc00\ud83d"', '"\ud800"'])
def test_a_lone_surrogate_becomes_a_question_mark(text: str) -> None:
    expected = json.loads(text).encode(errors="replace").decode()
    assert parse_json(text, where="x") == expected and "?" in expected


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud800"', r'"\\\\ud800"', r'"\u00e9\""', r'"\\\ud83d\ude00"'])
def test_what_is_no_lone_surrogate_is_kept(text: str) -> None:
    assert parse_json(text, where="x") == json.loads(text)


def test_any_text_of_escapes_is_read_as_before() -> None:
    pieces = ["\\\\", "\\ud83d", "\\ude00", "\\u0041", "\\n", '\\"', "x", "\\ud800", "\ud800", "é"]
    choose = random.Random(1)
    for _ in range(3000):
        text = '"' + "".join(choose.choices(pieces, k=choose.randrange(9))) + '"'
        raw = text.encode(errors="replace").decode()
        assert parse_json(text, where="x") == json.loads(raw).encode(errors="replace").decode(), ascii(text)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(BadWorkflow, match="thousands of digits"):
        parse_json("9" * 5000, where="x")


# — nodes and values —


def test_too_many_nodes_are_refused_in_both_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litegraph, "MAX_NODES", 3)
    monkeypatch.setattr(parse, "MAX_NODES", 3)
    prompt = {str(n): {"class_type": "A", "inputs": {}} for n in range(4)}
    nodes = [node(n, "A") for n in range(4)]
    definition = {"id": "s", "name": "s", "nodes": nodes[2:]}
    parse_ui(nodes[:3])
    for large in (prompt, {"nodes": nodes}, {"nodes": nodes[:2], "definitions": {"subgraphs": [definition]}}):
        with pytest.raises(BadWorkflow, match="more than 3 nodes"):
            parse_workflow(json.dumps(large), where="x.json")


def test_too_many_saved_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litegraph, "MAX_VALUES", 3)
    nodes = [node(1, "A", widgets_values=[1, 2]), node(2, "A", widgets_values={"a": 1, "b": 2})]
    parse_ui(nodes[:1])
    with pytest.raises(BadWorkflow, match="more than 3 saved values"):
        parse_ui(nodes)


# — what grows when it is opened —


def subgraphs(depth: int, copies: int = 2) -> Mapping[str, object]:
    inner = [
        {"id": f"s{n}", "name": f"s{n}", "nodes": [node(c, f"s{n + 1}") for c in range(copies)]} for n in range(depth)
    ]
    return {"definitions": {"subgraphs": [*inner, {"id": f"s{depth}", "name": "last", "nodes": [node(1, "A")]}]}}


def groups(count: int, copies: int, links: int = 0) -> Mapping[str, object]:
    """A group of copies of the second, of copies of the third, and so on."""
    made: dict[str, object] = {f"g{n}": {"nodes": [{"type": f"workflow>g{n + 1}"}] * copies} for n in range(count)}
    made[f"g{count}"] = {"nodes": [{"type": "A"}], "links": [[0, 0, 0, 0]] * links}
    return {"extra": {"groupNodes": made}}


@pytest.mark.parametrize(
    ("type_", "more"),
    [
        ("s0", subgraphs(60)),
        ("s0", subgraphs(3, copies=1000)),
        ("s0", subgraphs(MAX_NESTING + 1, copies=1)),
        ("workflow>g0", groups(60, copies=2)),
        ("workflow>g0", groups(2, copies=10_000)),
        ("workflow>g0", groups(1, copies=9_000, links=9_000)),
    ],
    ids=["doubling", "wide", "deep", "groups", "wide groups", "links"],
)
def test_what_would_have_endless_nodes_is_refused(type_: str, more: Mapping[str, object]) -> None:
    workflow = parse_ui([node(1, type_)], **more)
    with pytest.raises(BadWorkflow, match="more than 100,000 nodes or 64 levels"):
        try_convert(workflow, SAVE)


def test_a_group_is_parsed_once_for_all_its_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []
    real = group_nodes._parse_nodes

    def parse_nodes(group: Mapping[str, object]) -> list[Node]:
        parsed.append(group)
        return real(group)

    monkeypatch.setattr(group_nodes, "_parse_nodes", parse_nodes)
    workflow = parse_ui([node(n, "workflow>g0") for n in range(50)], **groups(1, copies=2))
    try_convert(workflow, SAVE)
    assert len(parsed) == 2


def test_a_cycle_of_definitions_is_named() -> None:
    cycle = {"g0": {"nodes": [{"type": "workflow>g1"}]}, "g1": {"nodes": [{"type": "workflow>g0"}]}}
    workflow = parse_ui([node(1, "workflow>g0")], extra={"groupNodes": cycle})
    with pytest.raises(BadWorkflow, match='"g0" contains itself'):
        try_convert(workflow, SAVE)


def test_names_of_long_values_do_not_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_EXPANDED", 100)
    values = {"a": {"b": "x" * 50}}
    assert text_expansion.replace_names("%a.b%%a.b%", values, datetime(2026, 1, 1)) == "x" * 100
    with pytest.raises(BadWorkflow, match="more than 100 characters"):
        text_expansion.replace_names("%a.b%" * 3, values, datetime(2026, 1, 1))


# — what is told of many things —


def test_of_many_lost_values_the_first_are_told_and_the_others_counted() -> None:
    workflow = parse_ui([node(1, "SaveImage", widgets_values=["x", *range(1, 100_001)])])
    conversion = try_convert(workflow, SAVE)
    assert len(conversion.lost) == 100_000
    told = lost_values.describe_lost(conversion.lost)
    assert len(told) == lost_values.MAX_LISTED + 1 and "99,980 more" in told[-1]
    problems = lost_values.refuse_lost(conversion.lost, (), "x.json")
    assert len(problems) == len(told) and all(isinstance(p, LostInput) for p in problems)
    assert 'lost-values = ["1"]' in problems[-1].fix and len(problems[-1].fix) < 200
    assert lost_values.refuse_lost(conversion.lost, ("1",), "x.json") == ()


def test_200_000_lost_values_are_told_and_more_are_refused() -> None:
    def convert_losing(count: int) -> Conversion:
        return try_convert(parse_ui([node(1, "SaveImage", widgets_values=["x", *range(count)])]), SAVE)

    assert len(convert_losing(200_000).lost) == 200_000
    with pytest.raises(BadWorkflow, match="more than 200,000 of its saved values") as e:
        convert_losing(200_001)
    assert (e.value.where, e.value.fix) == ("x.json", "save the workflow again from ComfyUI")


def test_an_unknown_type_is_told_once_with_its_count() -> None:
    link = {"name": "x", "type": "X", "link": None}
    nodes = [node(n, "A" if n < 4 else "B", inputs=[link]) for n in range(1, 6)]
    nodes[1]["properties"] = {"cnr_id": "pack"}
    with pytest.raises(ErrorGroup) as e:
        convert(parse_ui(nodes), SAVE)
    problems = e.value.problems
    assert [p.where for p in problems] == [
        'node 1 "A" of x.json, and 1 more node',
        'node 2 "A" of x.json',
        'node 4 "B" of x.json, and 1 more node',
    ], "one with another fix is told on its own"
    assert all(isinstance(p, UnknownNode) for p in problems)


def test_the_long_name_of_a_subgraph_is_not_in_every_problem_of_its_nodes() -> None:
    definition = {"id": "s", "name": "x" * 100_000, "nodes": [1] * 1000}
    document = {"version": 1, "nodes": [], "links": [], "definitions": {"subgraphs": [definition]}}
    with pytest.raises(ErrorGroup) as e:
        parse_workflow(json.dumps(document), where="x.json")
    assert len(e.value.problems) == 1000 and sum(len(p.where) for p in e.value.problems) < 2_000_000
