import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.catalog.name_patterns import parse_pattern


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (r" \(rgthree\)$", "Seed (rgthree)", True),
        (r" \(rgthree\)$", "Seed (rgthree) 2", False),
        ("^ttN ", "ttN text", True),
        ("^ttN ", "a ttN text", False),
        ("(^(Prompts|Anything) Everywhere|Simple String)", "Anything Everywhere?", True),
        ("(^(Prompts|Anything) Everywhere|Simple String)", "My Simple String", True),
        ("(^(Prompts|Anything) Everywhere|Simple String)", "Not Anything Everywhere", False),
        ("MiniMax.*BMO|BMO.*MiniMax", "BMO and MiniMax", True),
        ("MiniMax.*BMO|BMO.*MiniMax", "MiniMax", False),
        ("^a.*ab.*b$", "aabb", True),
        ("^ab.*bc$", "abc", False),
        ("^same$", "same", True),
        ("^same$", "same!", False),
    ],
)
def test_patterns_of_the_map_match_as_a_regular_expression(pattern: str, name: str, expected: bool) -> None:
    found = parse_pattern(pattern)
    assert found is not None and found.matches(name) is expected
    assert (re.search(pattern, name) is not None) is expected


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(x*)*", r"\d+abc", "[a-z]abc", "a{9}", "ab?cd", "", "ab", ".*", "abc|", "(?i)abc", "(abc", "abc)",
     "ab^cd", "ab$cd", "abc\\", "(a$|b)cde", "(abc)*", "x" * 301, "(a|b)" * 7 + "abc", "((((((abc))))))"],
)  # fmt: skip
def test_what_is_not_understood_or_demands_nothing_is_refused(pattern: str) -> None:
    assert parse_pattern(pattern) is None


def test_a_name_that_would_take_re_for_ever_is_answered() -> None:
    found = parse_pattern("aaa.*aaa.*aaa.*aaab$")
    assert found is not None and not found.matches("a" * 100_000)


@given(st.text(alphabet="ab|()^$.*\\+", max_size=14), st.text(alphabet="ab", max_size=12))
def test_what_is_understood_means_what_it_means_to_re(pattern: str, name: str) -> None:
    found = parse_pattern(pattern)
    if found is not None:
        assert found.matches(name) == (re.search(pattern, name) is not None)
