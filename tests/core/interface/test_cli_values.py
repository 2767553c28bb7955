"""Inputs as texts of a command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.interface.cli_values import find_source, read_value
from pycomfy.core.interface.model import Parameter, ParameterType
from pycomfy.errors import BadInput


def parameter(type_: ParameterType, **fields: object) -> Parameter:
    return Parameter.model_validate({"name": "x", "type": type_, "targets": [], **fields})


@pytest.mark.parametrize(
    ("type_", "text", "source"),
    [
        ("text", "a cat", None),
        ("text", "", None),
        ("text", "@prompt.txt", "prompt.txt"),
        ("text", "@-", "-"),
        ("text", "-", None),
        ("text", "@@someone", None),
        ("integer", "@seed", "seed"),
        ("image", "photo.png", "photo.png"),
        ("image", "@photo.png", "photo.png"),
        ("image", "@-", "-"),
        ("video", "@@odd.mp4", "@odd.mp4"),
        ("3d", "a=b.glb", "a=b.glb"),
    ],
)
def test_a_file_is_meant_by_an_at_sign_or_the_type(type_: ParameterType, text: str, source: str | None) -> None:
    assert find_source(parameter(type_), text) == source


def test_a_choice_is_found_by_how_it_is_written() -> None:
    choices = parameter("choice", choices=("euler", 2, 0.5, True), default="gone.png")
    assert [read_value(choices, t) for t in ("euler", "2", "0.5", "true", "gone.png", "no")] == [
        "euler",
        2,
        0.5,
        True,
        "gone.png",
        "no",
    ]


def test_json_is_read_and_what_is_none_is_told() -> None:
    assert read_value(parameter("json"), '[1, {"a": null}]') == [1, {"a": None}]
    for text in ("[1", "", "[" * 10_000):
        with pytest.raises(BadInput, match=r"JSON|deep") as caught:
            read_value(parameter("json"), text)
        assert caught.value.code == "bad-input" and caught.value.where == "inputs.x" and caught.value.fix


@given(st.text())
def test_a_text_stays_as_it_is(text: str) -> None:
    assert read_value(parameter("text"), text) == text
