"""Texts as the browser sends them."""

import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.prompt.convert import convert
from pycomfy.core.prompt.text_expansion import Moment, expand_texts, replace_names
from pycomfy.gateway.graph.texts import expand_choices, format_date
from tests.support.graphs import definition, linked, node, parsed, slot, subgraph, ui, widget

NOW = datetime(2026, 3, 4, 15, 6, 7)


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("plain", {"plain"}),
        ("a {b|c} d", {"a b d", "a c d"}),
        ("{a|{b|c}}", {"a", "b", "c"}),
        ("{a|}", {"a", ""}),
        (r"\{a|b\}", {"{a|b}"}),
        (r"{a\|b}", {"a|b"}),
        ("a /* no */ b // end\nc", {"a  b \nc"}),
        ("{a|b", {"a", "b"}),
        ("a} b|c", {"a} b|c"}),
        ("a // b\rc // d\u2028e", {"a \rc \u2028e"}),  # where a line ends for a browser
    ],
)
def test_choices(text: str, results: set[str]) -> None:
    assert {expand_choices(text, random.Random(i)) for i in range(40)} == results


@given(st.text(alphabet="{}|\\/*a \n", max_size=60), st.integers())
def test_any_text_is_expanded(text: str, seed: int) -> None:
    expand_choices(text, random.Random(seed))


def test_deep_nesting_ends() -> None:
    expand_choices("{" * 5000 + "a", random.Random(0))


def test_dates() -> None:
    assert format_date("yyyy-MM-dd hh:mm:ss yy M d", NOW) == "2026-03-04 15:06:07 26 3 4"


def test_values_of_other_nodes() -> None:
    values = {"Sample": {"seed": 5, "cfg": 7.0, "name": "a/b:c", "on": True}}
    text = "%date:yyyy%/%Sample.seed%_%Sample.cfg%_%Sample.name%_%Sample.on%_%No.x%_%width%"
    assert replace_names(text, values, NOW) == "2026/5_7_a_b_c_true_%No.x%_%width%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        (7.0, "7"),
        (2.5, "2.5"),
        (0.00001, "0.00001"),
        (1.5e-7, "1.5e-7"),
        (1e21, "1e+21"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-6, "0.000001"),
        (123456789012345680000.0, "123456789012345680000"),
        ([1, [2.0, None]], "1,2,"),
        ({"a": 1}, "[object Object]"),
    ],
)
def test_values_are_written_as_javascript_writes_them(value: object, text: str) -> None:
    assert replace_names("%A.b%", {"A": {"b": value}}, NOW) == text


def test_names_find_primitives_controls_and_hosts() -> None:
    info = {
        "Draw": definition({"seed": ["INT", {"control_after_generate": True}], "size": ["INT"]}, outputs=["IMAGE"]),
        "SaveImage": definition({"filename_prefix": ["STRING"], "images": ["IMAGE"]}),
    }
    draw = node(1, "Draw", widget("size", 1), values=(5, "fixed", 6), outputs=["IMAGE"])
    prefix = "%Draw.seed%_%Draw.control_after_generate%_%Draw.size%_%Number.value%_%PrimitiveNode.value%"
    workflow = parsed(
        ui(
            [
                draw,
                node(2, "PrimitiveNode", values=(64, "fixed"), outputs=["INT"], title="Number"),
                node(3, "SaveImage", linked("images", 2), values=(prefix,)),
            ],
            [[1, 2, 0, 1, 1, "INT"], [2, 1, 0, 3, 0, "IMAGE"]],
        )
    )
    sent = expand_texts(convert(workflow, info), workflow, info, Moment(1, NOW))
    assert sent["3"]["inputs"]["filename_prefix"] == "5_fixed_64_64_%PrimitiveNode.value%"


def test_in_the_api_format_too_names_are_types_or_else_titles_and_of_several_the_first_counts() -> None:
    info = {
        "Draw": definition({"seed": ["INT"]}, outputs=["IMAGE"]),
        "SaveImage": definition({"filename_prefix": ["STRING"], "images": ["IMAGE"]}),
    }
    prompt = {
        "1": {"class_type": "Draw", "inputs": {"seed": 5}, "_meta": {"title": "Mine"}},
        "2": {"class_type": "Draw", "inputs": {"seed": 6}, "_meta": {"title": "Mine"}},
        "3": {"class_type": "Draw", "inputs": {"seed": 7}, "_meta": {"title": "Draw"}},
        "4": {"class_type": "SaveImage", "inputs": {"filename_prefix": "%Mine.seed%_%Draw.seed%", "images": ["1", 0]}},
    }
    workflow = parsed(prompt)
    sent = expand_texts(convert(workflow, info), workflow, info, Moment(1, NOW))
    assert sent["4"]["inputs"]["filename_prefix"] == "5_5"


def test_a_text_that_a_host_sets_is_sent_as_it_is() -> None:
    """The browser takes it from the host's widget, which knows of no choices."""
    info = {"Dynamic": definition({"text": ["STRING", {"dynamicPrompts": True}]}, outputs=["X"])}
    inner = node(5, "Dynamic", widget("text", 80, "STRING"), values=("{x|y}",), outputs=["X"])
    links = [[80, -10, 0, 5, 0, "STRING"], [90, 5, 0, -20, 0, "X"]]
    definitions = {"subgraphs": [subgraph("sg", [inner], links, [slot("text", "STRING", 80)], [slot("X", "X", 90)])]}
    host = node(2, "sg", widget("text", None, "STRING"), values=("{a|b}",))
    workflow = parsed(ui([host], [], definitions=definitions))
    sent = expand_texts(convert(workflow, info), workflow, info, Moment(1, NOW))
    assert sent["2:5"]["inputs"]["text"] == "{a|b}"


def test_a_primitive_replaces_names_where_it_is_told_to() -> None:
    info = {"Words": definition({"text": ["STRING"], "more": ["STRING"]}, outputs=["X"])}
    target = node(1, "Words", widget("text", 1, "STRING"), widget("more", 2, "STRING"), values=("a", "b"), title="T")
    told = {"Run widget replace on values": True}
    workflow = parsed(
        ui(
            [
                target,
                node(2, "PrimitiveNode", values=("%Size.value%",), outputs=["STRING"], properties=told),
                node(3, "PrimitiveNode", values=("%Size.value%",), outputs=["STRING"]),
                node(4, "PrimitiveNode", values=(64,), outputs=["INT"], title="Size"),
            ],
            [[1, 2, 0, 1, 0, "STRING"], [2, 3, 0, 1, 1, "STRING"]],
        )
    )
    sent = expand_texts(convert(workflow, info), workflow, info, Moment(1, NOW))
    assert sent["1"]["inputs"] == {"text": "64", "more": "%Size.value%"}


def test_only_texts_that_ask_for_it_are_expanded_and_by_seed() -> None:
    info = {
        "Dynamic": definition({"text": ["STRING", {"dynamicPrompts": True}], "raw": ["STRING"]}, outputs=["X"]),
        "SaveImage": definition({"filename_prefix": ["STRING"]}),
    }
    options = "{" + "|".join("abcdefgh") + "}"
    workflow = parsed(
        ui(
            [
                node(1, "Dynamic", values=(options, options), properties={"Node name for S&R": "D"}),
                node(2, "SaveImage", values=("x/%D.raw%%Nobody.raw%",)),
            ],
            [],
        )
    )
    prompt = convert(workflow, info)
    first = expand_texts(prompt, workflow, info, Moment(1, NOW))
    assert first == expand_texts(prompt, workflow, info, Moment(1, NOW))
    texts = {expand_texts(prompt, workflow, info, Moment(s, NOW))["1"]["inputs"]["text"] for s in range(30)}
    assert texts > {"a"} and texts <= set("abcdefgh")
    assert first["1"]["inputs"]["raw"] == options
    assert first["2"]["inputs"]["filename_prefix"] == "x/" + options.replace("|", "_") + "%Nobody.raw%"
