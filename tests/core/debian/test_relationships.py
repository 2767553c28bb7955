import random
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.core.debian.relationships import Relation, parse_relations, version_key
from tests.support.properties import examples

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")

sorted_versions = [
    "1.0~~", "1.0~~a", "1.0~", "1.0-0~deb12u1", "1.0", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0a", "1.0+dfsg",
    "1.0+really1", "1.2", "1.10", "1.10-1-2", "2:0", "10:0",
]  # fmt: skip


def test_versions_sort_as_debian_policy_says() -> None:
    shuffled = random.Random(0).sample(sorted_versions, len(sorted_versions))
    assert sorted(shuffled, key=version_key) == sorted_versions


@pytest.mark.parametrize(("a", "b"), [("1", "1-0"), ("1", "0:1"), ("1.0", "1.00"), ("a", "a0"), ("0", "")])
def test_different_spellings_of_a_version_are_equal(a: str, b: str) -> None:
    assert version_key(a) == version_key(b)


characters = st.text("019.+~aZ", max_size=6)
versions = st.builds(
    lambda epoch, first, rest, revision: f"{epoch}{first}{rest}{revision}",
    st.sampled_from(["", "0:", "1:"]),
    st.sampled_from("012"),
    characters,
    st.one_of(st.just(""), characters.filter(bool).map("-{}".format)),
)


@needs_dpkg
@settings(max_examples=examples(150))
@given(versions, versions)
def test_every_two_versions_compare_as_dpkg_compares_them(a: str, b: str) -> None:
    for operator, ours in (("lt", version_key(a) < version_key(b)), ("eq", version_key(a) == version_key(b))):
        dpkg = subprocess.run(["dpkg", "--compare-versions", a, operator, b], check=False).returncode == 0
        assert ours == dpkg, operator


def test_relationships_are_read() -> None:
    assert parse_relations("a (>= 1.0~), b:any | c (= 2:1-1) [amd64], ,d(<<3)") == (
        (Relation("a", ">=", "1.0~"),),
        (Relation("b"), Relation("c", "=", "2:1-1")),
        (Relation("d", "<<", "3"),),
    )
    assert parse_relations("") == ()


@pytest.mark.parametrize("text", ["A", "a (>= )", "a (~ 1)", "--option", "a b", "a |", "../x", "a\n(>= 1) b"])
def test_what_is_no_relationship_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a relationship"):
        parse_relations(text)


@pytest.mark.parametrize(
    ("relation", "accepted"),
    [("<<", ["1"]), ("<=", ["1", "2"]), ("=", ["2"]), (">=", ["2", "3"]), (">>", ["3"]), ("", ["1", "2", "3"])],
)
def test_bounds_include_what_they_say(relation: str, accepted: list[str]) -> None:
    assert [v for v in ("1", "2", "3") if Relation("a", relation, "2").accepts(v)] == accepted
