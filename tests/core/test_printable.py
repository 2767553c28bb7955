"""Text of others in messages."""

import pytest

from pycomfy.core.printable import MAX_CHARACTERS, sanitise


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a pack", "a pack"),
        ("ö 猫", "ö 猫"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("two\nlines", "two\ufffdlines"),
        ("right\u202eto left", "right\ufffdto left"),
        ("x" * MAX_CHARACTERS, "x" * MAX_CHARACTERS),
        ("x" * (MAX_CHARACTERS + 1), "x" * MAX_CHARACTERS + "…"),
    ],
)
def test_what_is_printed_is_one_line_that_does_not_act_on_a_terminal(text: str, printed: str) -> None:
    assert sanitise(text) == printed
