from dataclasses import replace

from pycomfy.core.nodes.pack_errors import Surroundings, explain_question, short_name
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
