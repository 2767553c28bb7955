"""Saved values that no editor saves end no conversion, and take no more room than they say."""

import json

import pytest

from pycomfy.core.prompt.convert import convert
from pycomfy.core.prompt.node_definitions import Definitions
from tests.support.graphs import definition, node, parsed, ui

DEFINITIONS = Definitions(
    {
        "VHS_LoadVideo": definition(
            {
                "force_rate": ["FLOAT", {"min": 0, "max": 60, "round": 0.01}],
                "custom_width": ["INT", {"min": 0, "step": 8}],
                "format": [["A", "B"], {"default": "A", "formats": {"A": {}, "B": {"dim": [8, 0, 512, 512]}}}],
            }
        ),
        "easy table": definition({"table": ["EASY_TABLE_EDITOR"]}),
    }
)


def converted(type_: str, values: object) -> dict[str, object]:
    return convert(parsed(ui([node(1, type_, values=values)], [])), DEFINITIONS)["1"]["inputs"]


@pytest.mark.parametrize("number", ["1e308", "1e999", "-1e999", "NaN", "1" + "0" * 400])
def test_a_number_without_a_neighbour_on_a_step_stays(number: str) -> None:
    """They ended the conversion with an OverflowError."""
    value = json.loads(number)
    inputs = converted("VHS_LoadVideo", {"force_rate": value, "custom_width": value, "format": "B"})
    assert str(inputs["force_rate"]) in (number, "60", str(value)) and "custom_width" in inputs


def test_a_table_that_would_be_far_larger_than_the_file_is_not_written() -> None:
    """A file of 400 kB took 5 GB."""
    table = {"headers": ["a"] * 10_000, "rows": [[]] * 100_000}
    assert json.loads(str(converted("easy table", [table])["table"])) == table
    small = {"headers": ["a"], "rows": [["b"]]}
    assert converted("easy table", [small])["table"] == "| a   |\n| --- |\n| b   |"
