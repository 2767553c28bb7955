import random
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.core.debian.resolver import (
    BASE_PACKAGES,
    EXCLUDED,
    DebianIndex,
    Relation,
    base_packages,
    parse_relations,
    resolve_closure,
    version_key,
)
from pycomfy.errors import ErrorGroup, NoDebianPackage
from tests.support.properties import examples

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")


def stanza(name: str, version: str = "1", *fields: str) -> str:
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: amd64", f"Filename: pool/{name}_{version}.deb"]
    return "\n".join([*lines, "Size: 10", f"SHA256: {'a' * 64}", *fields]) + "\n"


def index(*stanzas: str) -> DebianIndex:
    return DebianIndex([(0, "\n".join(stanzas))])


def names(found: DebianIndex, *wanted: str) -> list[str]:
    return [p.name for p in resolve_closure(found, wanted, excluded={})]


# — versions —

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


# — relationships —


def test_relationships_are_read() -> None:
    assert parse_relations("a (>= 1.0~), b:any | c (= 2:1-1) [amd64], ,d(<<3)") == (
        (Relation("a", ">=", "1.0~"),),
        (Relation("b"), Relation("c", "=", "2:1-1")),
        (Relation("d", "<<", "3"),),
    )
    assert parse_relations("") == ()


@pytest.mark.parametrize("text", ["A", "a (>= )", "a (~ 1)", "--option", "a b", "a |", "../x", "a\n(>= 1) b"])
def test_what_is_no_relationship_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no relationship"):
        parse_relations(text)


@pytest.mark.parametrize(
    ("relation", "accepted"),
    [("<<", ["1"]), ("<=", ["1", "2"]), ("=", ["2"]), (">=", ["2", "3"]), (">>", ["3"]), ("", ["1", "2", "3"])],
)
def test_bounds_include_what_they_say(relation: str, accepted: list[str]) -> None:
    assert [v for v in ("1", "2", "3") if Relation("a", relation, "2").accepts(v)] == accepted


# — closure —


def test_dependencies_are_followed_and_sorted() -> None:
    found = index(
        stanza("z", "1", "Depends: m", "Pre-Depends: p (>= 1)"),
        stanza("m", "1", "Depends: z"),
        stanza("p"),
        stanza("q"),
    )
    assert names(found, "z") == ["m", "p", "z"]


def test_the_newest_version_of_any_suite_is_taken_with_its_archive() -> None:
    main = stanza("a", "1.9") + "\n" + stanza("b", "2")
    security = stanza("a", "1.10") + "\n" + stanza("b", "1")
    a, b = resolve_closure(DebianIndex([(0, main), (1, security)]), ["a", "b"])
    assert (a.version, a.archive, b.version, b.archive) == ("1.10", 1, "2", 0)


def test_the_order_of_stanzas_changes_nothing() -> None:
    stanzas = [
        stanza("a", "1", "Depends: v | x, y"),
        stanza("p1", "1", "Provides: v"),
        stanza("p2", "1", "Provides: v"),
        stanza("y", "1", "Depends: v"),
        stanza("a", "0.9"),
    ]
    results = {tuple(names(index(*random.Random(i).sample(stanzas, len(stanzas))), "a")) for i in range(10)}
    assert results == {("a", "p1", "y")}


def test_the_first_alternative_that_is_there_counts() -> None:
    found = index(stanza("a", "1", "Depends: gone | old (>= 2) | x | y"), stanza("old"), stanza("x"), stanza("y"))
    assert names(found, "a") == ["a", "x"]


def test_an_alternative_that_is_chosen_already_is_enough() -> None:
    found = index(stanza("a", "1", "Depends: x | y"), stanza("x"), stanza("y"))
    assert names(found, "a", "y") == ["a", "y"]


def test_a_virtual_package_is_provided_by_the_most_important_one() -> None:
    found = index(
        stanza("a", "1", "Depends: awk"),
        stanza("gawk", "1", "Provides: awk", "Priority: optional"),
        stanza("mawk", "1", "Provides: awk", "Priority: required"),
    )
    assert names(found, "a") == ["a", "mawk"]


def test_a_bound_on_a_virtual_package_needs_a_version_provided() -> None:
    asks = stanza("a", "1", "Depends: v (>= 2)")
    assert names(index(asks, stanza("p", "9", "Provides: v (= 2)")), "a") == ["a", "p"]
    for provides in ("v", "v (= 1)"):
        with pytest.raises(NoDebianPackage):
            names(index(asks, stanza("p", "9", f"Provides: {provides}")), "a")


def test_excluded_dependencies_are_not_followed_unless_asked_for() -> None:
    found = index(stanza("a", "1", "Depends: dpkg (>= 9), gone | dpkg | x"), stanza("x"), stanza("dpkg"))
    assert [p.name for p in resolve_closure(found, ["a"], {"dpkg": "why"})] == ["a"]
    assert [p.name for p in resolve_closure(found, ["a", "dpkg"], {"dpkg": "why"})] == ["a", "dpkg"]


def test_an_alternative_before_an_excluded_one_is_followed() -> None:
    found = index(stanza("a", "1", "Depends: x | dpkg"), stanza("x"), stanza("dpkg"))
    assert [p.name for p in resolve_closure(found, ["a"], {"dpkg": "why"})] == ["a", "x"]


def test_what_an_excluded_package_provides_is_excluded_too() -> None:
    found = index(stanza("a", "1", "Depends: debconf-2.0"), stanza("debconf", "1", "Provides: debconf-2.0"))
    assert [p.name for p in resolve_closure(found, ["a"], {"debconf": "why"})] == ["a"]


def test_all_that_is_missing_is_told_at_once_and_by_whom_it_is_wanted() -> None:
    found = index(stanza("a", "1", "Depends: gone, b (>= 2)"), stanza("b", "1"))
    with pytest.raises(ErrorGroup) as caught:
        names(found, "a", "typo")
    told = [(p.what, p.where) for p in caught.value.problems]
    assert told == [
        ('no Debian package "typo"', "wanted by the image"),
        ('no Debian package "gone"', "wanted by a"),
        ('no Debian package "b (>= 2)"; the archive has b 1', "wanted by a"),
    ]


def test_packages_that_exclude_one_another_are_told() -> None:
    found = index(
        stanza("a", "1", "Conflicts: v, a"), stanza("b", "1", "Provides: v, a"), stanza("c", "1", "Breaks: a (<< 1)")
    )
    with pytest.raises(ErrorGroup, match="a cannot be together with b"):
        names(found, "a", "b", "c")
    assert names(found, "a", "c") == ["a", "c"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Filename", "../../etc/passwd"),
        ("Filename", "/etc/passwd"),
        ("SHA256", "x"),
        ("Size", "many"),
        ("Filename", "a/./b"),
    ],
)
def test_an_index_that_says_impossible_things_is_refused(field: str, value: str) -> None:
    lines = [line for line in stanza("a").splitlines() if not line.startswith(field)]
    with pytest.raises(NoDebianPackage, match="wrongly"):
        names(index("\n".join([*lines, f"{field}: {value}"])), "a")


@pytest.mark.parametrize("field", ["Depends", "Conflicts", "Provides"])
def test_a_broken_relationship_is_told_with_its_package(field: str) -> None:
    with pytest.raises(NoDebianPackage, match='"a" wrongly: no relationship'):
        names(index(stanza("a", "1", f"{field}: !!!")), "a")


def test_fields_over_several_lines_are_read() -> None:
    found = index(stanza("a", "1", "Description: x", " Depends: trap", "Depends: b,", " c"), stanza("b"), stanza("c"))
    assert names(found, "a") == ["a", "b", "c"]


def test_the_base_is_sorted_and_excludes_nothing_it_wants() -> None:
    assert list(base_packages("3.11")) == sorted(base_packages("3.11"))
    assert "python3.13" in base_packages("3.13")
    assert not BASE_PACKAGES.keys() & EXCLUDED.keys()
