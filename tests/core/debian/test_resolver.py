import random

import pytest

from pycomfy.core.debian.debian_index import DebianIndex
from pycomfy.core.debian.resolver import resolve_closure
from pycomfy.errors import ErrorGroup, NoDebianPackage


def stanza(name: str, version: str = "1", *fields: str) -> str:
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: amd64", f"Filename: pool/{name}_{version}.deb"]
    return "\n".join([*lines, "Size: 10", f"SHA256: {'a' * 64}", *fields]) + "\n"


def index(*stanzas: str) -> DebianIndex:
    return DebianIndex([(0, "\n".join(stanzas))])


def names(found: DebianIndex, *wanted: str) -> list[str]:
    return [p.name for p in resolve_closure(found, wanted, excluded={})]


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


def test_all_that_is_missing_is_told_at_once_and_by_whom_it_is_required() -> None:
    found = index(stanza("a", "1", "Depends: gone, b (>= 2)"), stanza("b", "1"))
    with pytest.raises(ErrorGroup) as caught:
        names(found, "a", "typo")
    told = [(p.what, p.where) for p in caught.value.problems]
    assert told == [
        ('no Debian package "typo"', "required by the image"),
        ('no Debian package "gone"', "required by a"),
        ('no Debian package "b (>= 2)"; the mirror has b 1', "required by a"),
    ]


def test_packages_that_exclude_one_another_are_told() -> None:
    found = index(
        stanza("a", "1", "Conflicts: v, a"), stanza("b", "1", "Provides: v, a"), stanza("c", "1", "Breaks: a (<< 1)")
    )
    with pytest.raises(ErrorGroup, match="a cannot be installed together with b"):
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
    with pytest.raises(NoDebianPackage, match="malformed"):
        names(index("\n".join([*lines, f"{field}: {value}"])), "a")


@pytest.mark.parametrize("field", ["Depends", "Conflicts", "Provides"])
def test_a_broken_relationship_is_told_with_its_package(field: str) -> None:
    with pytest.raises(NoDebianPackage, match='"a" is malformed: not a relationship'):
        names(index(stanza("a", "1", f"{field}: !!!")), "a")


def test_fields_over_several_lines_are_read() -> None:
    found = index(stanza("a", "1", "Description: x", " Depends: trap", "Depends: b,", " c"), stanza("b"), stanza("c"))
    assert names(found, "a") == ["a", "b", "c"]
