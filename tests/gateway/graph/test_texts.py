"""Texts that are given to typed inputs become what the editor would have sent."""

from datetime import datetime
from typing import Any

import pytest

from pycomfy.gateway.graph.interface import Interface
from pycomfy.gateway.graph.texts import TextTooLong, expand_values, find_marked, remove_comments

NOW = datetime(2026, 3, 4, 15, 6, 7)
GRAPH = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "x"}, "_meta": {"title": "Prompt"}},
    "2": {"class_type": "SaveImage", "inputs": {"filename_prefix": "a"}},
    "3": {"class_type": "Plain", "inputs": {"text": "x"}},
}
# As ComfyUI 0.3.75 describes them.
NODE_TYPES: dict[str, Any] = {
    "CLIPTextEncode": {"input": {"required": {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}]}}},
    "SaveImage": {"input": {"required": {"filename_prefix": ["STRING", {"default": "ComfyUI"}]}}},
    "Plain": {"input": {"required": {"text": ["STRING", {"multiline": True}]}}},
}
INTERFACE = Interface.model_validate(
    {
        "parameters": [
            {"name": "prompt", "type": "text", "targets": [{"node": "1", "input": "text"}]},
            {"name": "prefix", "type": "text", "targets": [{"node": "2", "input": "filename_prefix"}]},
            {"name": "plain", "type": "text", "targets": [{"node": "3", "input": "text"}]},
        ]
    }
)


def expand(**values: Any) -> dict[str, Any]:
    return expand_values(INTERFACE, GRAPH, values, NODE_TYPES, NOW)


def test_choices_and_comments_are_expanded_where_comfyui_says_so() -> None:
    text = "a {red|blue} car /* which */ // and so on"
    assert {expand(prompt=text)["prompt"] for _ in range(60)} == {"a red car  ", "a blue car  "}
    assert expand(plain=text) == {"plain": text}, "no dynamic prompt"
    assert expand(prefix="{a|b}") == {"prefix": "{a|b}"}


def test_names_and_dates_are_replaced_in_file_names_only() -> None:
    prefix = "%date:yyyy-MM-dd%/%CLIPTextEncode.text%-%Prompt.text%-%none.x%"
    assert expand(prefix=prefix, prompt="dog")["prefix"] == "2026-03-04/dog-dog-%none.x%"
    assert expand(prompt="%date:yyyy%") == {"prompt": "%date:yyyy%"}


def test_what_is_no_text_and_what_has_no_marks_is_left() -> None:
    values = {"prompt": None, "plain": "a/b | c } 100", "prefix": "x"}
    assert find_marked(INTERFACE, values) == []
    assert expand(**values) == values


def test_a_long_text_with_choices_is_refused() -> None:
    assert len(expand(prompt="x" * 200_000)["prompt"]) == 200_000
    with pytest.raises(TextTooLong, match="100,000 characters"):
        expand(prompt="{" * 100_001)


@pytest.mark.parametrize("text", ["/*" * 500_000, "//" * 500_000, "/" * 1_000_000, "/*/" * 300_000])
def test_comments_are_removed_in_one_pass(text: str) -> None:
    assert len(remove_comments(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [("a/*b*/c", "ac"), ("a/*/b*/c", "ac"), ("/*a", "/*a"), ("/*a//b", "/*a"), ("a//b\nc//d", "a\nc"), ("//*/ a", "")],
)
def test_comments_are_those_of_the_editor(text: str, left: str) -> None:
    assert remove_comments(text) == left
