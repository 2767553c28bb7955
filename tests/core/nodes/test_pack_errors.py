from dataclasses import replace

import pytest

from pycomfy.core.nodes.pack_errors import (
    Surroundings,
    describe_candidate,
    explain_question,
    list_types,
    prefer_line,
    short_name,
)
from pycomfy.core.nodes.pack_resolution import Candidate, ProviderQuestion
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.errors import AmbiguousNode, Fix, Placeholder, UnknownNode, suggest
from tests.support.catalog_maps import A, B, some

NODES = (RequiredNode("7", "Y", "My title", "runs"),)
PACKS = {p.url: p for p in some()}


def test_a_question_names_candidates_and_the_words_that_settle_it() -> None:
    candidates = (Candidate(PACKS[B], ("W", "Z")), Candidate(PACKS[A]))
    error = explain_question(ProviderQuestion("Y", NODES, "2 packs have it", candidates), "w.json")
    assert isinstance(error, AmbiguousNode) and error.where == "node 7 (My title) of w.json"
    assert error.fixes == (
        suggest("lock", "50 stars, also has W, Z of this workflow", workflow="w.json", prefer="bob/ComfyUI-B"),
        suggest("lock", "5 stars, updated 2025-11-17", workflow="w.json", prefer="ann/ComfyUI-A"),
        'at the top of pycomfy.toml, as for the first one: prefer = ["bob/ComfyUI-B"]',
    )
    told = error.as_dict()
    assert told["type"] == "Y" and told["candidates"] == [
        {"url": B, "stars": 50, "updated": None, "also": ["W", "Z"]},
        {"url": A, "stars": 5, "updated": "2025-11-17", "also": []},
    ]


def test_a_type_of_another_comfyui_names_the_version() -> None:
    error = explain_question(ProviderQuestion("Y", NODES, "why", (), "0.9.0"), "w.json")
    assert isinstance(error, UnknownNode) and 'rev = "v0.9.0"' in error.fix
    nightly = explain_question(ProviderQuestion("Y", NODES, "why", (), "ab" * 20), "w.json")
    assert f'rev = "{"ab" * 20}"' in nightly.fix
    assert "at the top of pycomfy.toml: comfyui = {" in error.fix
    there = explain_question(ProviderQuestion("Y", NODES, "why", (), "0.9.0"), "w.json", Surroundings(comfyui=True))
    assert "at the top of pycomfy.toml, in place of its [comfyui]: comfyui = {" in there.fix


def test_a_type_of_comfyui_that_packs_have_too_is_settled_by_naming_the_pack() -> None:
    """A preference would not settle it; a pack of single files cannot be named by an address."""
    files = replace(PACKS[B], files=("https://example.org/b.py",))
    question = ProviderQuestion("Y", NODES, "why", (Candidate(PACKS[A]), Candidate(files)), "0.9.0")
    packs = [f.arguments["pack"] for f in explain_question(question, "w.json").fixes if isinstance(f, Fix)]
    assert packs == [f"ComfyUI-A={A}"]
    only_files = replace(question, candidates=(Candidate(files),))
    assert Placeholder("NAME=URL") in [
        f.arguments["pack"] for f in explain_question(only_files, "w.json").fixes if isinstance(f, Fix)
    ]


def test_an_unknown_type_says_how_to_name_its_pack() -> None:
    error = explain_question(ProviderQuestion("Y", NODES, "no known pack has it"), "w.json")
    assert isinstance(error, UnknownNode)
    assert [f.action for f in error.fixes if isinstance(f, Fix)] == ["lock", "catalog update"]
    assert 'at the top of pycomfy.toml, if it is a folder of yours: packs.NAME = { path = "FOLDER" }' in error.fixes
    fresh = explain_question(ProviderQuestion("Y", NODES, "why"), "w.json", Surroundings(fresh=True))
    assert [f.action for f in fresh.fixes if isinstance(f, Fix)] == ["lock"], "lists that were fetched just now"
    assert isinstance(error.fixes[0], Fix) and error.fixes[0].arguments["pack"] == Placeholder("NAME=URL")


def test_a_preference_is_added_to_those_that_are_there() -> None:
    question = ProviderQuestion("Y", NODES, "2 packs have it", (Candidate(PACKS[A]), Candidate(PACKS[B])))
    error = explain_question(question, "w.json", Surroundings(prefer=("x/y",)))
    line = 'in place of its prefer, as for the first one: prefer = ["ann/ComfyUI-A", "x/y"]'
    assert f"at the top of pycomfy.toml, {line}" in error.fixes


def test_many_candidates_are_cut() -> None:
    error = explain_question(ProviderQuestion("Y", NODES, "why", tuple(Candidate(PACKS[A]) for _ in range(11))), "w")
    assert "3 more candidates" in error.what and len([f for f in error.fixes if isinstance(f, Fix)]) == 8


def test_the_short_name_is_understood_as_the_address() -> None:
    assert short_name(PACKS[A]) == "ann/ComfyUI-A"


def test_a_replaced_type_is_replaced_in_the_editor_or_another_comfyui_is_pinned() -> None:
    error = explain_question(ProviderQuestion("Y", NODES, "ComfyUI replaced it", replaced_by="Z", core=""), "w.json")
    assert isinstance(error, UnknownNode) and error.what == 'unknown node type "Y": ComfyUI replaced it'
    open_it, pin = error.fixes
    assert open_it == "open the workflow in that ComfyUI's editor, let it replace the node, and save it"
    assert isinstance(pin, str) and 'rev = "…"' in pin


def test_makers_may_declare_the_type() -> None:
    error = explain_question(ProviderQuestion("Y", NODES, "why", makers=("a", "b c")), "w.json")
    assert isinstance(error, UnknownNode) and error.what == 'unknown node type "Y": why'
    assert error.fixes[:2] == (
        'if a has it, declare it in pycomfy.toml: [packs.a] types = ["Y"]',
        'if b c has it, declare it in pycomfy.toml: [packs."b c"] types = ["Y"]',
    )
    assert [f.action for f in error.fixes if isinstance(f, Fix)] == ["lock"]


@pytest.mark.parametrize(
    ("change", "prefix"),
    [({}, "ambiguous node type"), ({"core": "1"}, "unknown node type"), ({"makers": ("x",)}, "unknown node type")],
)
def test_more_candidates_than_are_shown_are_counted(change: dict[str, object], prefix: str) -> None:
    def told(count: int) -> str:
        question = ProviderQuestion("Y", NODES, "why", (Candidate(PACKS[A]),) * count, **change)  # type: ignore[arg-type]
        return explain_question(question, "w.json").what

    assert told(8) == f'{prefix} "Y": why' and told(9) == f'{prefix} "Y": why (1 more candidates are not listed)'


def test_a_type_of_comfyui_s_names_at_most_eight_packs_and_how_to_name_one_where_there_is_none() -> None:
    question = ProviderQuestion("Y", NODES, "why", (Candidate(PACKS[A]),) * 9, "1.0")
    fixes = [f for f in explain_question(question, "w.json").fixes if isinstance(f, Fix)]
    assert len(fixes) == 8 and fixes[0].note == "if this node pack is meant: 5 stars, updated 2025-11-17"
    assert (fixes[0].action, fixes[0].arguments["workflow"]) == ("lock", "w.json")
    (fix,) = [f for f in explain_question(replace(question, candidates=()), "w.json").fixes if isinstance(f, Fix)]
    assert fix.note.startswith("if a node pack is meant; ") and fix.arguments["pack"] == Placeholder("NAME=URL")
    odd = replace(PACKS[A], url="https://example.org/~/")
    (fix,) = [
        f for f in explain_question(replace(question, candidates=(Candidate(odd),)), "w").fixes if isinstance(f, Fix)
    ]
    assert fix.arguments["pack"] == "pack=https://example.org/~/"


def test_several_types_are_named_together_with_the_nodes_of_all() -> None:
    others = tuple(ProviderQuestion(t, (replace(NODES[0], id=t, type=t, title=t),), "") for t in ("B", "C"))
    question = ProviderQuestion("Y", NODES, "why", (Candidate(PACKS[A]),), others=others)
    error = explain_question(question, "w.json")
    assert error.what == 'ambiguous node types "Y", "B", "C": why'
    assert error.where == "node 7 (My title), node B, node C of w.json"
    assert error.as_dict()["types"] == ["Y", "B", "C"]
    two = explain_question(replace(question, others=others[:1]), "w.json")
    assert two.what == 'ambiguous node types "Y", "B": why'
    unknown = explain_question(replace(question, candidates=()), "w.json")
    assert unknown.what == 'unknown node types "Y", "B", "C": why'


def test_types_beyond_the_fourth_are_counted() -> None:
    assert list_types("ab") == "a, b" and list_types("abcd") == "a, b, c, d"
    assert list_types("abcde") == "a, b, c, d and 1 more" and list_types("abcdef") == "a, b, c, d and 2 more"


def test_a_preference_that_is_there_already_is_not_named_twice() -> None:
    assert prefer_line(["a/b"], ()) == 'at the top of pycomfy.toml: prefer = ["a/b"]'
    assert prefer_line(["a/b"], ["x/y", "a/b"], ", so") == (
        'at the top of pycomfy.toml, in place of its prefer, so: prefer = ["a/b", "x/y"]'
    )


def test_a_pack_elsewhere_is_called_by_its_address_without_git() -> None:
    assert short_name(replace(PACKS[A], url="https://gitlab.com/o/r.git")) == "https://gitlab.com/o/r"


def test_a_candidate_is_described_by_all_that_is_known_of_it() -> None:
    plain = replace(PACKS[A], stars=None, updated=None)
    assert describe_candidate(Candidate(plain)) == "stars unknown"
    assert describe_candidate(Candidate(replace(plain, stars=0))) == "0 stars"
    assert describe_candidate(Candidate(replace(plain, stars=1))) == "1 star"
    seen = Candidate(plain, already_selected=True, fitting=2, saved=3, made="2024-01-01")
    assert describe_candidate(seen) == (
        "stars unknown, has it since 2024-01-01, fits 2 of 3 inputs and outputs, needed anyway"
    )
    odd = replace(seen, problems=("no input a", "no input b"), already_selected=False)
    assert describe_candidate(odd) == "stars unknown, has it since 2024-01-01, does not fit: no input a"
    part = Candidate(plain, ("B", "X"), settles=("A",))
    assert describe_candidate(part, ("A",)) == "stars unknown, also has B, X of this workflow"
    assert describe_candidate(part, ("A", "B", "C")) == (
        "stars unknown, has 1 of the 3 types, not B, C, also has X of this workflow"
    )
    assert describe_candidate(replace(part, settles=("B", "A")), ("A", "B")) == (
        "stars unknown, has all 2 types, also has X of this workflow"
    )


def test_the_evidence_of_a_candidate_is_in_the_json_where_there_is_any() -> None:
    seen = Candidate(PACKS[A], ("W",), fitting=2, saved=3, problems=("no input a",), made="2024-01-01")
    error = explain_question(ProviderQuestion("Y", NODES, "why", (seen, Candidate(PACKS[A]))), "w.json")
    plain = {"url": A, "stars": 5, "updated": "2025-11-17", "also": []}
    evidence = {"fitting": 2, "saved": 3, "problems": ["no input a"], "made": "2024-01-01"}
    assert error.as_dict()["candidates"] == [{**plain, "also": ["W"], **evidence}, plain]
