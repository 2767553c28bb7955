from itertools import permutations

from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_errors import describe_candidate, explain_question
from pycomfy.core.nodes.pack_questions import group_questions
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
