"""What a pack's own source says about a type settles a question, narrows it, or turns a choice into one."""

from dataclasses import replace

import pytest

from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import Candidate, PackResolution, ProviderChoice, ProviderQuestion, Reason
from pycomfy.core.nodes.pack_shapes import Evidence, is_checkable, is_weighable, weigh
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.workflow.model import Input, Output


def pack(name: str, **more: tuple[str, ...]) -> Listing:
    return Listing(f"github.com/{name}", f"https://github.com/{name}", **more)  # type: ignore[arg-type]


A, B, C, D = pack("ann/a"), pack("bob/b"), pack("cid/c"), pack("dan/d")
FILES = pack("eve/files", files=("https://example.org/x.py",))
NODE = RequiredNode("1", "T", "T", "runs", None, False, (Input("a", "INT", "1"),), (Output("", "INT"),))

FITS, OTHER = Evidence(3, 3, made="2024-01-01"), Evidence(1, 3, ("no input a",), "2024-02-01")
LATE = Evidence(3, 3, late="it has the type since 2025 only")


def question(*packs: Listing, type_: str = "T", listed: bool = True) -> ProviderQuestion:
    candidates = tuple(Candidate(p, listed=listed, versions=("1",), unused=("2",)) for p in packs)
    return ProviderQuestion(type_, (replace(NODE, type=type_),), "why", candidates)


def choice(of: Listing, reason: Reason = "only-pack", type_: str = "T") -> ProviderChoice:
    return ProviderChoice(type_, of, reason, "evidence", ("1",), ("2",))


def settled(*asked: ProviderQuestion | ProviderChoice, **evidence: Evidence) -> PackResolution:
    """`evidence` by the name of a pack and the type: `a_T`."""
    packs = {"a": A, "b": B, "c": C, "d": D, "files": FILES}
    by_pack = {(packs[name.split("_")[0]].identity, name.split("_")[1]): found for name, found in evidence.items()}
    choices = tuple(one for one in asked if isinstance(one, ProviderChoice))
    questions = tuple(one for one in asked if isinstance(one, ProviderQuestion))
    nodes = {one.type: (replace(NODE, type=one.type),) for one in asked}
    return weigh(PackResolution(choices, questions), by_pack, nodes)


def test_evidence_fits_where_all_is_there_and_contradicts_where_something_is_not_explained() -> None:
    assert FITS.fits and not FITS.contradicts and not OTHER.fits and OTHER.contradicts
    assert not LATE.fits and LATE.contradicts
    assert Evidence() == Evidence(0, 0) and Evidence(1, 1).fits
    assert not Evidence(0, 0).fits and not Evidence(2, 3).fits and not Evidence(2, 3).contradicts


def test_a_question_can_be_weighed_where_a_listed_repository_and_saved_slots_can_be_compared() -> None:
    assert is_weighable(question(A))
    assert is_weighable(replace(question(A), nodes=(replace(NODE, inputs=()),)))
    assert is_weighable(replace(question(A), nodes=(replace(NODE, outputs=()),)))
    assert not is_weighable(replace(question(A), nodes=(replace(NODE, inputs=(), outputs=()),)))
    assert is_weighable(replace(question(A), nodes=(replace(NODE, inputs=(), outputs=()), NODE)))
    assert is_weighable(question(FILES, A)) and not is_weighable(question(FILES))
    assert not is_weighable(question(A, listed=False)) and not is_weighable(question())
    for change in ({"core": ""}, {"makers": ("x",)}, {"unknown_names": ("x",)}):
        assert not is_weighable(replace(question(A), **change))


@pytest.mark.parametrize("reason", ["only-pack", "registry", "workflow", "preference", "pattern", "lock"])
def test_only_what_a_list_alone_says_is_checked(reason: Reason) -> None:
    assert is_checkable(choice(A, reason)) == (reason in ("only-pack", "registry"))
    assert not is_checkable(choice(FILES, reason))


def test_the_one_that_fits_is_taken_where_all_others_contradict() -> None:
    found = settled(question(A, B, C, D), a_T=FITS, b_T=OTHER, c_T=LATE, d_T=Evidence(0, 3, ("no output",)))
    (taken,) = found.choices
    assert found.questions == () and (taken.pack, taken.reason) == (A, "shape")
    assert (taken.versions, taken.unused) == (("1",), ("2",))
    assert taken.evidence == (
        "its definition there fits the saved node (3 of 3 inputs and outputs), and b is not it: no input a; "
        "c is not it: it has the type since 2025 only; d is not it: no output"
    )


def test_at_most_three_others_are_named_and_none_of_another_type() -> None:
    extra = pack("fay/f")
    evidence = {(p.identity, "T"): OTHER for p in (B, C, D, extra)}
    evidence |= {(A.identity, "T"): FITS, (B.identity, "U"): LATE}
    found = weigh(PackResolution((), (question(extra, D, C, B, A),)), evidence, {})
    assert found.choices[0].evidence.count("is not it") == 3 and "f is not it" not in found.choices[0].evidence
    assert "since 2025" not in found.choices[0].evidence


@pytest.mark.parametrize(("total", "taken"), [(2, False), (3, True)])
def test_that_the_only_one_fits_in_a_few_slots_alone_proves_nothing(total: int, taken: bool) -> None:
    found = settled(question(A), a_T=Evidence(total, total))
    assert bool(found.choices) == taken
    assert settled(question(A, B), a_T=Evidence(total, total), b_T=OTHER).choices != ()
    if taken:
        assert found.choices[0].evidence == "its definition there fits the saved node (3 of 3 inputs and outputs)"


def test_a_question_stays_where_the_one_that_is_left_is_unread_or_fits_in_part() -> None:
    for found in (settled(question(A, B), b_T=OTHER), settled(question(A, B), a_T=Evidence(2, 3), b_T=OTHER)):
        (left,) = found.questions
        assert found.choices == () and [c.pack for c in left.candidates] == [A]
        assert left.why == "why (b is not it: no input a)"


def test_candidates_have_what_is_known_of_them_and_at_most_three_that_are_out_are_named() -> None:
    found = settled(question(A, B, C), a_T=FITS, b_T=Evidence(2, 3, made="2023-01-01"), c_T=LATE)
    (left,) = found.questions
    assert [(c.pack, c.fitting, c.saved, c.problems, c.made) for c in left.candidates] == [
        (A, 3, 3, (), "2024-01-01"),
        (B, 2, 3, (), "2023-01-01"),
    ]
    many = [pack(f"x/p{n}") for n in range(4)]
    evidence = {(p.identity, "T"): OTHER for p in many} | {(p.identity, "T"): FITS for p in (A, B)}
    (left,) = weigh(PackResolution((), (question(A, B, *many),)), evidence, {}).questions
    assert left.why == "why (p0 is not it: no input a; p1 is not it: no input a; p2 is not it: no input a)"


def test_where_all_contradict_all_stay_with_their_problems() -> None:
    (left,) = settled(question(A, B), a_T=OTHER, b_T=LATE).questions
    assert [(c.pack, c.problems) for c in left.candidates] == [
        (A, ("no input a",)),
        (B, ("it has the type since 2025 only",)),
    ]
    assert left.why == "why"
    (left,) = settled(question(A, B), a_T=FITS, b_T=FITS).questions
    assert left.why == "why" and len(left.candidates) == 2


def test_a_candidate_by_its_pattern_alone_is_neither_taken_nor_left_alone() -> None:
    mixed = replace(question(A), candidates=(Candidate(A), Candidate(B, listed=False)))
    (left,) = settled(mixed, a_T=OTHER, b_T=FITS).questions
    assert [c.pack for c in left.candidates] == [A, B]
    (taken,) = settled(mixed, a_T=FITS, b_T=FITS).choices
    assert taken.pack == A


def test_a_pack_of_single_files_is_never_taken_by_its_shape() -> None:
    (left,) = settled(question(FILES, A), files_T=FITS, a_T=OTHER).questions
    assert [c.pack for c in left.candidates] == [FILES]


def test_a_question_that_cannot_be_weighed_stays_as_it_is() -> None:
    asked = replace(question(A, B), core="9")
    assert settled(asked, a_T=FITS, b_T=OTHER).questions == (asked,)
    alone = replace(question(A), core="9")
    assert settled(alone, a_T=FITS).questions == (alone,)


def test_what_speaks_against_others_is_in_the_order_of_their_names_and_only_what_contradicts() -> None:
    evidence = {(p.identity, "T"): OTHER for p in (D, C, B)} | {(A.identity, "T"): FITS}
    evidence[pack("aaa/fits-too").identity, "T"] = FITS
    (taken,) = weigh(PackResolution((), (question(A, D, C, B),)), evidence, {}).choices
    assert [text.partition(" is")[0][-1] for text in taken.evidence.split("; ")] == ["b", "c", "d"]
    assert "fits-too" not in taken.evidence


@pytest.mark.parametrize(
    ("fitting", "total", "asked"),
    [(0, 4, True), (1, 4, True), (2, 4, False), (3, 4, False), (6, 10, False), (2, 5, True)],
)
def test_a_listed_choice_is_asked_about_where_less_than_half_fits(fitting: int, total: int, asked: bool) -> None:
    evidence = Evidence(fitting, total, ("no input a",))
    found = settled(choice(A), a_T=evidence)
    assert bool(found.questions) == asked and bool(found.choices) == (not asked)
    if asked:
        (left,) = found.questions
        assert left.why == "only one known node pack provides it, and the saved node is another: no input a"
        assert [(c.pack, c.versions, c.unused, c.problems) for c in left.candidates] == [
            (A, ("1",), ("2",), ("no input a",))
        ]
        assert [n.type for n in left.nodes] == ["T"]
    assert settled(choice(A, "workflow"), a_T=evidence).choices == (choice(A, "workflow"),)


def test_a_listed_choice_stays_where_nothing_is_known_or_nothing_contradicts() -> None:
    assert settled(choice(A)).choices == settled(choice(A), a_T=Evidence(0, 4)).choices == (choice(A),)
    assert settled(choice(A), b_T=OTHER).choices == (choice(A),)


def test_choices_are_sorted_by_type() -> None:
    found = settled(
        question(A, B, type_="M"), choice(A, "workflow", "Z"), choice(C, "workflow", "B"), a_M=FITS, b_M=OTHER
    )
    assert [c.type for c in found.choices] == ["B", "M", "Z"]


def test_the_pack_that_fits_one_type_is_taken_for_another_that_it_has() -> None:
    other = question(A, B, type_="U")
    found = settled(question(A, B), other, a_T=FITS, b_T=OTHER)
    assert [(c.type, c.reason, c.pack) for c in found.choices] == [("T", "shape", A), ("U", "together", A)]
    taken = found.choices[1]
    assert found.questions == ()
    assert taken.evidence == '"T" needs this pack anyway, and a second pack with the type would clash'
    assert (taken.versions, taken.unused) == (("1",), ("2",))


@pytest.mark.parametrize("change", [{"core": ""}, {"makers": ("x",)}, {"unknown_names": ("x",)}])
def test_it_is_not_taken_for_a_type_that_may_be_another_s(change: dict[str, object]) -> None:
    other = replace(question(A, B, type_="U"), **change)  # type: ignore[arg-type]
    assert settled(question(A, B), other, a_T=FITS, b_T=OTHER).questions == (other,)


def test_it_is_not_taken_where_it_only_matches_a_pattern_or_contradicts() -> None:
    pattern = replace(question(B, type_="U"), candidates=(Candidate(A, listed=False), Candidate(B)))
    assert settled(question(A, B), pattern, a_T=FITS, b_T=OTHER).questions[0].type == "U"
    found = settled(question(A, B), question(A, B, type_="U"), a_T=FITS, b_T=OTHER, a_U=OTHER, b_U=OTHER)
    assert [q.type for q in found.questions] == ["U"]
    two = settled(question(A, B), question(C, D, type_="V"), question(A, C, type_="U"),
                  a_T=FITS, b_T=OTHER, c_V=FITS, d_V=OTHER)  # fmt: skip
    assert [q.type for q in two.questions] == ["U"], "both are needed"
    listed = settled(choice(A, "workflow"), question(A, B, type_="U"))
    assert [q.type for q in listed.questions] == ["U"], "only what the evidence chose"
