"""Texts as the browser sends them."""

import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.flow.prompt.convert import convert
from pycomfy.flow.prompt.text import Moment, expand_choices, expand_texts, format_date, replace_names
from tests.flow.prompt.build import definition, node, parsed, ui

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
