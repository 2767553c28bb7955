"""What is printed of texts of others."""

import pytest

from pycomfy.core.printable import printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a pack", "a pack"),
        ("ö 猫", "ö 猫"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("two\nlines", "two\ufffdlines"),
        ("right\u202eto left", "right\ufffdto left"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_is_printed_is_one_line_that_does_not_act_on_a_terminal(text: str, printed: str) -> None:
    assert printable(text) == printed
