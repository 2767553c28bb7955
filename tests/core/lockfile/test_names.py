import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pycomfy.core.lockfile.lock_types import Name
from pycomfy.core.lockfile.names import plain_name, repository_name, safe_name, unique_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hello", "hello"),
        ("My Workflow (2)", "my-workflow-2"),
        ("Über_cool.v2", "uber_cool.v2"),
        ("../../etc", "etc"),
        ("a..b", "a-b"),
        ("x.lock", "x-lock"),
        ("-x", "x"),
        ("x" * 300, "x" * 60),
    ],
)
def test_names_stay_readable(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_a_name_in_another_script_is_kept_apart() -> None:
    assert safe_name("工作流").startswith("workflow-") and safe_name("工作流") != safe_name("作工流")


@given(st.text(max_size=120))
def test_any_text_becomes_a_name_for_git_and_registries(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", name) and not name.endswith(".lock") and len(name) <= 60
    assert safe_name(name) == name


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_becomes_a_name_for_a_pack_that_no_other_has(text: str, others: list[str]) -> None:
    taken: list[str] = []
    for other in [*others, text, text, text.upper()]:
        name = unique_name(plain_name(other) or "pack", taken)
        assert TypeAdapter(Name).validate_python(name) == name
        assert name.casefold() not in {n.casefold() for n in taken}
        taken.append(name)


@pytest.mark.parametrize("url", ["https://host/o/Pack.git", "https://host/o/Pack/", "git@host:o/Pack", "Pack"])
def test_a_repository_is_called_by_the_end_of_its_address(url: str) -> None:
    assert repository_name(url) == "Pack"
