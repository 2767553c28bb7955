import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from pycomfy.core.python.conflicts import (
    best_override,
    conclusion,
    describe_override,
    evaluate_override,
    find_constraints,
    find_labelled,
    list_override_candidates,
    name_origins,
    pin,
)
from pycomfy.core.python.requirements import RequirementSet, make_requirement_set
from pycomfy.core.python.wheel_selection import Target

LINUX = Target("linux/amd64", "3.11").environment()


def wants(origin: str, *lines: str) -> RequirementSet:
    return make_requirement_set(origin, lines, "requirements.txt")


def test_demands_are_those_of_origins_and_of_packages_that_the_explanation_names() -> None:
    said = "Because all versions of top depend on x<2,>=1 and you require x>=2, we can conclude that …"
    found = find_constraints(
        [wants("ComfyUI", "x>=2", "other"), wants("pack a", "x<9; sys_platform == 'win32'")], said, LINUX
    )
    assert [(d.origin, d.name, str(d.versions)) for d in found] == [("ComfyUI", "x", ">=2"), ("top", "x", "<2,>=1")]


def test_the_explanation_names_who_asks() -> None:
    asked = [wants("ComfyUI", "x>=2"), wants("pack a", "x<2"), wants("pack b", "x<2")]
    said = "Because you require x>=2 and x<2, we can conclude that your requirements are unsatisfiable"
    assert (
        name_origins(said, asked)
        == "Because ComfyUI requires x>=2 and pack a and pack b require x<2, they cannot all be satisfied"
    )
    assert name_origins("you require y==1 and so on", asked) == "you require y==1 and so on"


def test_what_most_ask_for_is_tried_first_and_what_is_overridden_never() -> None:
    asked = [wants("a", "x<2"), wants("b", "x<2"), wants("c", "x>=2", "y==1", "z")]
    demands = find_constraints(asked, "x y z", LINUX)
    assert list_override_candidates(demands) == ["x<2", "x>=2", "x", "y", "y==1"]
    assert list_override_candidates(demands, ["x"]) == ["y", "y==1"]


def test_the_override_that_fewest_reject_is_the_best() -> None:
    demands = find_constraints([wants("a", "x<2"), wants("b", "x<3"), wants("c", "x>=2")], "x", LINUX)
    mends = [evaluate_override([text], demands, ["kept==1"]) for text in ("x==1.0", "x==2.5", "x==9")]
    chosen = best_override(mends)
    assert chosen is not None and chosen.overrides == ("kept==1", "x==2.5")
    assert (chosen.accepted_by, chosen.rejected_by) == (("b", "c"), ("a",))
    assert 'overrides = ["kept==1", "x==2.5"]' in describe_override(
        chosen
    ) and "not what a requires" in describe_override(chosen)
    assert best_override([]) is None


def test_a_limit_with_a_number_of_thousands_of_digits_is_no_demand() -> None:
    """Python refuses to convert one, and `packaging` passes that on as it is."""
    large = "9" * 5000
    asked = [wants("a", f"x>={large}"), wants("b", "x>=1")]
    demands = find_constraints(asked, f"Because y depends on x<{large} and you require x>=1", LINUX)
    best = evaluate_override(["x==2"], demands, resolved={"x": large})
    assert (best.accepted_by, best.rejected_by) == (("b",), ())
    assert name_origins(f"you require x>={large}", asked) == f"you require x>={large}"


def test_what_versions_depend_on_that_are_not_taken_does_not_matter() -> None:
    said = "Because top==1.0 depends on x<2 and top>=2 depends on x>=2, we can conclude"
    constraints = find_constraints([wants("a", "x<2")], said, LINUX)
    found = evaluate_override(["x==2.5"], constraints, (), {"top": "2.1", "x": "2.5"})
    assert (found.accepted_by, found.rejected_by) == (("top>=2",), ("a",))


def test_of_equal_constraints_the_newer_comes_first_and_any_version_soon() -> None:
    said = "".join(f"top=={i}.0 depends on x=={i}.0 and " for i in (2, 9, 10, 1, 3, 4))
    candidates = list_override_candidates(find_constraints([], said, LINUX))
    assert candidates[:6] == ["x==10.0", "x==9.0", "x==4.0", "x==3.0", "x", "x==2.0"]


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (
            "Because a has no usable wheels and b==1 depends on c>=2, we can conclude that b depends on one of: c>=2 "
            "c>=3 And because you require b and c<2, we can conclude that your requirements are unsatisfiable",
            "b depends on c>=2 or c>=3, and you require b and c<2",
        ),
        (
            "Because a has no usable wheels, we can conclude that a<2 cannot be used. And because b depends on c>=2, "
            "we can conclude that all versions of b depend on c>=2. And because you require b and c<2, we can conclude "
            "that your requirements are unsatisfiable",
            "all versions of b depend on c>=2, and you require b and c<2",
        ),
        ("Because you require x>=2 and x<2, something", "Because you require x>=2 and x<2, something"),
    ],
)
def test_a_long_explanation_ends_with_its_reason(said: str, end: str) -> None:
    assert conclusion(said) == end


def test_a_build_for_an_accelerator_is_seen() -> None:
    said = "Because there is no version of torch==2.5.1+cu121 and you require torch==2.5.1+cu121, we can"
    assert find_labelled(said) == ("torch", "2.5.1", "cu121")
    assert find_labelled("you require x==1.0+local and y==2.0+cpu.post") is None


def test_a_pin_has_no_label_of_a_variant() -> None:
    assert pin("torch", "2.9.1+cu128") == "torch==2.9.1" and pin("x", "no version") is None


@given(st.text(max_size=300))
def test_any_explanation_is_read(said: str) -> None:
    asked = [wants("ComfyUI", "x>=2"), wants("pack a", "x[y]<2,!=1.5")]
    for candidate in list_override_candidates(find_constraints(asked, said + " x", LINUX)):
        assert Requirement(candidate).url is None
    name_origins(said, asked)


versions = st.sampled_from(["", "<2", ">=2", "==1.0", "~=1.1", "!=2.0", ">1,<3"])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), versions), max_size=8), st.randoms())
def test_candidates_do_not_depend_on_the_order_of_demands(asked: list[tuple[str, str, str]], random: object) -> None:
    one = find_constraints([wants(who, name + spec) for who, name, spec in asked], "x y z", LINUX)
    other = list(one)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert list_override_candidates(one) == list_override_candidates(other)
