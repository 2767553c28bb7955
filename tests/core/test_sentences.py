"""Texts of others in sentences."""

from pycomfy.core.sentences import MAX_NAME, join_lines, shorten


def test_a_name_is_whole_up_to_its_limit_and_kept_as_it_is() -> None:
    name = "a\x1b[2J\nb" + "x" * (MAX_NAME - 7)
    assert shorten(name) == name
    assert shorten(name + "y") == name + "…"
    assert shorten("abcdef", 3) == "abc…" and shorten("abc", 3) == "abc"


def test_several_lines_become_one() -> None:
    assert join_lines("fatal: a\n  b\r\n\n\tc ") == "fatal: a b c"
