from dataclasses import replace
from itertools import permutations

import pytest

from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_errors import describe_candidate, explain_question
from pycomfy.core.nodes.pack_questions import group_questions, settles
from pycomfy.core.nodes.pack_resolution import Candidate, ProviderQuestion
from pycomfy.core.requirements.model import RequiredNode


def pack(name: str, stars: int = 0) -> Listing:
    return Listing(f"github.com/{name}", f"https://github.com/{name}", stars=stars)


REAL, FORK, OTHER = pack("ann/real", 900), pack("eve/fork", 3), pack("bob/other", 50)


def question(type_: str, *packs: Listing, listed: bool = True, unknown: str = "") -> ProviderQuestion:
    node = RequiredNode(type_, type_, type_, "runs")
    candidates = tuple(Candidate(p, listed=listed) for p in packs)
    return ProviderQuestion(type_, (node,), "why", candidates, unknown_names=(unknown,) if unknown else ())


def test_eleven_types_of_two_packs_are_two_questions() -> None:
    wan = [question(f"Wan{i}", REAL, FORK) for i in range(9)]
    video = [question(f"Video{i}", OTHER, FORK) for i in range(2)]
    first, second = group_questions([*wan, *video])
    assert first.types == ("Video0", "Video1") and len(second.types) == 9
    # The fork has all eleven, but leads none.
    assert [c.pack for c in first.candidates] == [OTHER, FORK] and first.candidates[1].settles[0] == "Video0"
    assert {c.pack.url for c in second.candidates} == {REAL.url, FORK.url}


def test_the_order_of_questions_changes_nothing() -> None:
    questions = [question("A", REAL, FORK), question("B", FORK), question("C", OTHER, REAL), question("D", OTHER)]
    results = {str(group_questions(order)) for order in permutations(questions)}
    assert len(results) == 1


def test_a_candidate_says_how_many_of_the_types_it_has() -> None:
    (group,) = group_questions([question("A", REAL, FORK), question("B", REAL), question("C", REAL)])
    texts = [describe_candidate(c, group.types) for c in group.candidates]
    assert "has all 3 types" in texts[0] and "has 1 of the 3 types, not B, C" in texts[1]
    error = explain_question(group, "w.json")
    assert error.what.startswith('ambiguous node types "A", "B", "C": 2 known node packs provide some or all')


def test_a_pattern_of_names_settles_only_what_no_list_has() -> None:
    groups = group_questions([question("A", REAL), question("B", REAL, listed=False), question("C", OTHER)])
    assert [g.types for g in groups] == [("A", "B"), ("C",)]
    mixed = ProviderQuestion("B", (), "why", (Candidate(REAL, listed=False), Candidate(OTHER)))
    assert [g.types for g in group_questions([question("A", REAL), mixed])] == [("A",), ("B",)]


def test_types_of_one_unknown_pack_are_one_question() -> None:
    groups = group_questions([question("A", unknown="lost"), question("B", unknown="lost"), question("C")])
    assert [g.types for g in groups] == [("A", "B"), ("C",)]
    assert "they are from lost, which is not known" in explain_question(groups[0], "w.json").what


def test_questions_about_comfyui_itself_stay_alone() -> None:
    own = [ProviderQuestion(t, (), "why", (Candidate(REAL),), core="9.0") for t in ("A", "B")]
    assert [g.types for g in group_questions(own)] == [("A",), ("B",)]


def test_a_pack_settles_what_it_is_listed_with_and_by_its_pattern_only_what_nothing_is_listed_with() -> None:
    assert settles(REAL, question("A", OTHER, REAL)) and not settles(FORK, question("A", OTHER, REAL))
    assert settles(REAL, question("A", REAL, FORK, listed=False))
    mixed = replace(question("A"), candidates=(Candidate(REAL, listed=False), Candidate(OTHER)))
    assert settles(OTHER, mixed) and not settles(REAL, mixed)
    assert not settles(REAL, replace(question("A", REAL), core=""))
    assert not settles(REAL, replace(question("A", REAL), makers=("x",)))
    assert settles(replace(REAL, stars=1), question("A", REAL)), "identity counts"


def test_a_pack_that_is_needed_anyway_leads_whatever_its_stars() -> None:
    needed = replace(question("B"), candidates=(Candidate(REAL), Candidate(FORK, already_selected=True)))
    first, second = group_questions([question("A", FORK), needed, question("C", REAL, OTHER)])
    assert (first.types, second.types) == (("A", "B"), ("C",))
    assert [c.pack for c in first.candidates] == [FORK, REAL]


def test_of_packs_that_lead_as_many_questions_the_one_with_more_stars_goes_first_then_the_first_by_name() -> None:
    found = group_questions([question("C", OTHER), question("A", REAL), question("B", OTHER, REAL)])
    assert [g.types for g in found] == [("A", "B"), ("C",)]
    one, two = pack("a/x"), pack("b/x")
    assert [g.types for g in group_questions([question("A", two, one), question("B", one), question("C", two)])] == [
        ("A", "B"),
        ("C",),
    ]
    unknown = replace(pack("z/none"), stars=None)
    assert [c.pack for c in group_questions([question("A", unknown, FORK)])[0].candidates] == [FORK, unknown]


def test_candidates_of_merged_questions_are_sorted_by_what_they_settle_then_by_stars() -> None:
    (group,) = group_questions([question("A", REAL, FORK), question("B", REAL, FORK), question("C", REAL, OTHER)])
    assert [c.pack for c in group.candidates] == [REAL, FORK, OTHER]
    assert [c.settles for c in group.candidates] == [("A", "B", "C"), ("A", "B"), ("C",)]
    assert [c.also_provides for c in group.candidates] == [("B", "C"), ("B",), ("C",)]
    assert group.why == "3 known node packs provide some or all of them"


def test_a_candidate_settles_questions_of_other_groups_too() -> None:
    first, second = group_questions([question("A", REAL, FORK), question("B", OTHER, FORK)])
    assert [c.settles for c in first.candidates] == [("A",), ("A", "B")]
    assert [c.also_provides for c in first.candidates] == [(), ()]
    assert first.why == second.why == "why" and first.others == ()


def test_the_evidence_of_merged_questions_is_added_up() -> None:
    def one(type_: str, fitting: int, made: str | None, *problems: str) -> ProviderQuestion:
        candidate = Candidate(REAL, ("X", type_), fitting=fitting, saved=3, made=made, problems=problems)
        return replace(question(type_), candidates=(candidate, Candidate(FORK, fitting=1, saved=1)))

    (group,) = group_questions(
        [one("A", 2, "2025", "no a", "no b"), one("B", 3, "2024", "no b", "no c"), one("C", 1, None)]
    )
    found = group.candidates[0]
    assert (found.pack, found.fitting, found.saved, found.made) == (REAL, 6, 9, "2024")
    assert found.problems == ("no a", "no b", "no c") and found.also_provides == ("B", "C", "X")
    assert (group.candidates[1].fitting, group.candidates[1].saved, group.candidates[1].made) == (3, 3, None)


@pytest.mark.parametrize("change", [{"core": "1"}, {"makers": ("x",)}])
def test_questions_without_candidates_stay_alone_where_they_are_about_comfyui_or_makers(
    change: dict[str, object],
) -> None:
    lost = [replace(question(t, unknown="lost"), **change) for t in ("A", "B")]  # type: ignore[arg-type]
    assert [g.types for g in group_questions(lost)] == [("A",), ("B",)]


def test_types_of_one_unknown_pack_with_candidates_say_so_and_those_of_two_do_not() -> None:
    lost = [question(t, REAL, unknown="lost") for t in ("A", "B")]
    (group,) = group_questions(lost)
    assert group.why == "according to the workflow they are from lost, which is not known"
    (group,) = group_questions([lost[0], question("B", REAL, unknown="gone")])
    assert group.why == "1 known node packs provide some or all of them"
    two = replace(lost[0], unknown_names=("lost", "gone"))
    (group,) = group_questions([two, replace(two, type="B")])
    assert group.why == "according to the workflow they are from lost and gone, which is not known"
    (alone,) = group_questions([lost[0]])
    assert alone.why == "why"


def test_types_without_candidates_and_without_names_of_packs_are_questions_of_their_own() -> None:
    assert [g.types for g in group_questions([question("A"), question("B"), question("C")])] == [("A",), ("B",), ("C",)]


def test_a_pack_that_is_needed_anyway_comes_first_among_the_candidates() -> None:
    needed = (Candidate(FORK, already_selected=True), Candidate(REAL))
    questions = [replace(question(t), candidates=needed) for t in ("A", "B")]
    (group,) = group_questions([*questions, question("C", REAL, FORK)])
    assert [c.pack for c in group.candidates] == [FORK, REAL]
    assert group_questions([]) == ()


def test_groups_are_sorted_by_type() -> None:
    found = group_questions([question("D", OTHER), question("C", REAL), question("B"), question("A", unknown="lost")])
    assert [g.type for g in found] == ["A", "B", "C", "D"]


FAMOUS, SMALL, BARE = pack("zoe/famous", 900), pack("abe/small", 1), replace(pack("abe/bare"), stars=None)


def test_stars_count_before_names_and_unknown_ones_are_none() -> None:
    # Both candidates of "B" lead one question each but for it.
    found = group_questions([question("A", SMALL), question("B", SMALL, FAMOUS), question("C", SMALL)])
    assert [g.types for g in found] == [("A", "B", "C")]
    assert [c.pack for c in found[0].candidates] == [SMALL, FAMOUS], "it settles more"
    (alone,) = group_questions([question("A", SMALL, FAMOUS, BARE)])
    assert [c.pack for c in alone.candidates] == [FAMOUS, SMALL, BARE]
    found = group_questions([question("A", SMALL), question("B", SMALL, FAMOUS)])
    assert [g.types for g in found] == [("A",), ("B",)], "the famous one leads B, and as many stars go first"
    found = group_questions([question("A", BARE), question("B", BARE, pack("bob/nothing", 0))])
    assert [g.types for g in found] == [("A", "B")], "no stars are as good as unknown ones: the name decides"
    found = group_questions([question("A", BARE), question("B", BARE, SMALL), question("C", SMALL)])
    assert [g.types for g in found] == [("A",), ("B", "C")]


def test_what_else_a_candidate_has_is_its_own() -> None:
    first = replace(question("A"), candidates=(Candidate(REAL, ("X",)), Candidate(FORK, ("Y",))))
    (group,) = group_questions([first, question("B", REAL)])
    assert [(c.pack, c.also_provides) for c in group.candidates] == [(REAL, ("B", "X")), (FORK, ("Y",))]
