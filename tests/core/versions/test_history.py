from pycomfy.core.versions.history import number_versions

# hello: a b d m, where m merges e; fast: a b c e; aside: x.
PARENTS = {"m": ("d", "e"), "e": ("c",), "d": ("b",), "c": ("b",), "b": ("a",), "a": ()}


def test_a_commit_is_a_version_of_the_workflow_that_is_looked_at_where_that_has_it() -> None:
    tips = {"fast": "e", "hello": "m"}
    numbers = number_versions(PARENTS, tips, first="hello")
    assert [numbers[c] for c in "abdm"] == [("hello", n) for n in (1, 2, 3, 4)]
    assert [numbers[c] for c in "ce"] == [("fast", 3), ("fast", 4)]
    assert number_versions(PARENTS, tips, first="fast")["b"] == ("fast", 2)


def test_a_commit_that_only_a_merge_brought_in_is_no_version() -> None:
    assert "e" not in number_versions(PARENTS, {"hello": "m"}, first="hello")
