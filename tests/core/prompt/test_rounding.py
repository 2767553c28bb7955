"""Numbers as the frontend's widgets round them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.prompt.rounding import rounded
from pycomfy.core.prompt.widgets import Widget

NUMBERS = st.integers() | st.floats()
OPTIONS = st.dictionaries(st.sampled_from(["step", "min", "max", "round"]), NUMBERS)


@pytest.mark.parametrize(
    ("kind", "options", "value", "result"),
    [
        ("INT", {}, 7, 7),
        ("INT", {}, 7.5, 8),
        ("INT", {"step": 8, "min": 16}, 99, 96),
        ("INT", {"step": 8, "min": 16}, 100, 104),
        ("INT", {"step": 4, "min": 1}, 6, 5),
        ("INT", {"step": 0}, 3, 3),
        ("INT", {}, 2**64 - 1, 2**64 - 1),
        ("FLOAT", {}, 0.123, 0.1),
        ("FLOAT", {"step": 0.1, "round": 0.01}, 7.25, 7.3),
        ("FLOAT", {"step": 0.01}, 0.126, 0.13),
        ("FLOAT", {"step": 1.0}, 0.126, 0.126),
        ("FLOAT", {"step": 0.01, "round": False, "max": 1.0}, 1.5, 1.0),
        ("FLOAT", {"min": -5.0}, -7, -5.0),
        ("INT", {"step": 1e-300}, 7, 7),
        ("INT", {"step": 5e-324}, 7, 7),
        ("INT", {"step": 8, "min": 10**400}, 99, 96),
        ("FLOAT", {"step": 1e-300, "round": 1e-300}, 0.126, 0.126),
        ("STRING", {}, "1.26", "1.26"),
        ("BOOLEAN", {}, True, True),
        ("COMBO", {}, 1.26, 1.26),
    ],
)
def test_numbers_on_the_grid_of_a_widget(kind: str, options: dict[str, object], value: object, result: object) -> None:
    assert rounded(value, Widget("w", kind, options=options)) == result


@given(st.sampled_from(["INT", "FLOAT"]), OPTIONS, NUMBERS)
def test_any_definition_and_number(kind: str, options: dict[str, object], value: float) -> None:
    assert isinstance(rounded(value, Widget("w", kind, options=options)), (int, float))
