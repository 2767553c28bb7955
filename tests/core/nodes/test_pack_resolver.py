import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.catalog.match import Claims
from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import (
    Knowledge,
    PackPreferences,
    PackResolution,
    ProviderChoice,
    ProviderQuestion,
    UnresolvedType,
)
from pycomfy.core.nodes.pack_resolver import list_registry_types, resolve_packs
from pycomfy.core.requirements.model import Provenance, RequiredNode
from tests.support.catalog_maps import CORE, A, B, C, claim, some

PACKS = {p.url: p for p in some()}
ID_A, ID_B = PACKS[A].identity, PACKS[B].identity
ELSE = Listing("github.com/eve/else", "https://github.com/eve/else", registry_id="else")


def want(type_: str, *packs: Provenance | None) -> UnresolvedType:
    nodes = [RequiredNode(str(i), type_, type_, "runs", pack) for i, pack in enumerate(packs or (None,), start=1)]
    return UnresolvedType(type_, tuple(nodes))


def know(
    *wanted: UnresolvedType,
    named: Mapping[str, Listing] | None = None,
    registry: Mapping[str, Sequence[Listing]] | None = None,
) -> Knowledge:
    claims = {w.type: claim(tuple(PACKS.values()), w.type) for w in wanted}
    return Knowledge(claims, named or {}, {t: tuple(p) for t, p in (registry or {}).items()})


def settle(
    wanted: UnresolvedType,
    wishes: PackPreferences = PackPreferences(),  # noqa: B008
    **more: Any,
) -> ProviderChoice | ProviderQuestion:
    chosen = resolve_packs([wanted], know(wanted, **more), wishes)
    answers: list[ProviderChoice | ProviderQuestion] = [*chosen.choices, *chosen.questions]
    return answers[0]


def picked(answer: ProviderChoice | ProviderQuestion) -> tuple[str, str] | None:
    return (answer.pack.url, answer.reason) if isinstance(answer, ProviderChoice) else None


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("X", (A, "only-pack")),
        ("Z", (B, "preemption")),
        ("New (cc)", (C, "pattern")),
        ("Y", None),
        ("Nobody's", None),
        ("KSampler", None),
    ],
)
def test_the_catalog_settles_or_asks(type_: str, expected: tuple[str, str] | None) -> None:
    assert picked(settle(want(type_))) == expected


def test_what_the_workflow_says_goes_before_everything() -> None:
    said = Provenance("pack-b", None, "1.2.0")
    answer = settle(want("X", said, said), PackPreferences((ID_A,)), named={"pack-b": PACKS[B]})
    assert isinstance(answer, ProviderChoice) and (answer.pack.url, answer.reason, answer.versions) == (
        B,
        "workflow",
        ("1.2.0",),
    )


def test_an_address_of_the_workflow_is_enough_though_nobody_lists_it() -> None:
    answer = settle(want("X", Provenance(None, "Eve/Else.git", "a" * 40)))
    assert isinstance(answer, ProviderChoice) and answer.pack.identity == "github.com/eve/else"
    assert "does not know" in answer.evidence and answer.versions == ("a" * 40,)


@pytest.mark.parametrize("aux", ["file:///etc", "/home/x", "ext::sh", "-x", "../..", "o/.."])
def test_an_address_that_is_none_says_nothing(aux: str) -> None:
    assert picked(settle(want("X", Provenance(None, aux)))) == (A, "only-pack")


@pytest.mark.parametrize("aux", ["git@host:o/r", "ssh://h/o/r", "https://127.0.0.1/o/r", "https://intranet/o/r.git"])
def test_an_address_that_would_use_this_machines_keys_or_network_is_a_question(aux: str) -> None:
    answer = settle(want("X", Provenance(None, aux)))
    assert isinstance(answer, ProviderQuestion) and "which is not known" in answer.why
    assert picked(settle(want("X", Provenance(None, aux)), PackPreferences((ID_A,)))) == (A, "preference")


def test_nodes_that_disagree_are_a_question_that_a_preference_settles() -> None:
    wanted = want("X", Provenance("pack-a"), Provenance("pack-b"))
    named = {"pack-a": PACKS[A], "pack-b": PACKS[B]}
    answer = settle(wanted, named=named)
    assert isinstance(answer, ProviderQuestion) and {c.pack.url for c in answer.candidates} == {A, B}
    assert picked(settle(wanted, PackPreferences((ID_B,)), named=named)) == (B, "preference")


def test_an_id_that_nobody_knows_is_a_question_unless_a_candidate_is_called_so() -> None:
    assert picked(settle(want("X", Provenance("comfyui-a")))) == (A, "workflow")
    assert picked(settle(want("Y", Provenance("ComfyUI-B")))) == (B, "workflow")
    answer = settle(want("X", Provenance("somebody-elses")))
    assert isinstance(answer, ProviderQuestion) and "somebody-elses" in answer.why


def test_a_type_of_a_newer_comfyui_is_never_taken_from_a_pack() -> None:
    answer = settle(want("X", Provenance("comfy-core", None, "0.9.0")))
    assert isinstance(answer, ProviderQuestion) and answer.core == "0.9.0"
    assert isinstance(settle(want("Upscale")), ProviderQuestion)
    answer = settle(want("X", Provenance(None, CORE)), named={CORE: PACKS[CORE]})
    assert isinstance(answer, ProviderQuestion) and answer.core == ""


def test_a_type_of_comfyui_that_templates_know_names_the_version_that_has_it() -> None:
    wanted, known = want("Upscale"), know(want("Upscale"))
    claims = replace(known.claims["Upscale"], since="0.42.6")
    for core, expected in ((None, "0.42.6"), ("0.5.0", "0.42.6"), ("0.50.0", "0.50.0")):
        (question,) = resolve_packs([wanted], Knowledge({"Upscale": claims}, core=core), PackPreferences()).questions
        assert question.core == expected and f"ComfyUI {expected} has it" in question.why
    said = resolve_packs(
        [want("Upscale", Provenance("comfy-core", None, "0.41.0"))], Knowledge({"Upscale": claims}), PackPreferences()
    )
    assert said.questions[0].core == "0.41.0"


def test_a_type_that_only_templates_know_is_a_question_about_comfyui() -> None:
    known = Knowledge({"New": Claims(since="0.42.6")})
    (question,) = resolve_packs([want("New")], known, PackPreferences()).questions
    assert question.core == "0.42.6" and "official templates use it as a type of ComfyUI 0.42.6" in question.why
    known = Knowledge({"New": Claims(since="0.42.6", patterns=(PACKS[C],))}, registry={"New": (ELSE,)})
    (question,) = resolve_packs([want("New")], known, PackPreferences()).questions
    assert (
        question.core == "0.42.6" and len(question.candidates) == 2 and "node packs may provide it too" in question.why
    )


def test_preferences_are_taken_in_their_order_and_by_former_addresses() -> None:
    assert picked(settle(want("Y"), PackPreferences((ID_B, ID_A)))) == (B, "preference")
    assert picked(settle(want("Y"), PackPreferences(("github.com/old/a", ID_B)))) == (A, "preference")
    assert picked(settle(want("Y"), PackPreferences(("github.com/no/body",)))) is None


def test_the_lock_settles_what_would_be_asked_again() -> None:
    assert picked(settle(want("Y"), PackPreferences((), frozenset({ID_A})))) == (A, "lock")
    assert picked(settle(want("Y"), PackPreferences((), frozenset({ID_A, ID_B})))) is None
    assert picked(settle(want("Y"), PackPreferences((ID_B,), frozenset({ID_A})))) == (B, "preference")


def test_the_registry_comes_before_patterns_and_after_lists() -> None:
    assert picked(settle(want("New (cc)"), registry={"New (cc)": [ELSE]})) == (ELSE.url, "registry")
    assert picked(settle(want("X"), registry={"X": [ELSE]})) == (A, "only-pack")
    assert picked(settle(want("N"), registry={"N": [ELSE, PACKS[A]]})) is None
    wanted = [want("New (cc)"), want("X"), want("N", Provenance("comfy-core")), want("M", Provenance(None, "o/r"))]
    assert list_registry_types(wanted, know(*wanted)) == ("New (cc)",)


def test_candidates_say_what_else_they_would_supply() -> None:
    wanted = [want("Y"), want("X"), want("Z"), want("W")]
    (question,) = resolve_packs(wanted, know(*wanted), PackPreferences()).questions
    assert {c.pack.url: c.also_provides for c in question.candidates} == {A: ("X", "Z"), B: ("W", "Z")}


def test_a_plain_word_is_no_answer_by_being_listed_once() -> None:
    few = Listing("github.com/eve/math", "https://github.com/eve/math", stars=2, types=("Multiply", "EveTool"))
    claims = {"Multiply": Claims((few,)), "EveTool": Claims((few,))}
    (question,) = resolve_packs([want("Multiply")], Knowledge(claims), PackPreferences()).questions
    assert "a plain word that anybody may use" in question.why and [c.pack for c in question.candidates] == [few]
    for wishes in (PackPreferences((few.identity,)), PackPreferences((), frozenset({few.identity}))):
        assert not resolve_packs([want("Multiply")], Knowledge(claims), wishes).questions
    both = resolve_packs([want("Multiply"), want("EveTool")], Knowledge(claims), PackPreferences())
    assert [picked(c) for c in both.choices] == [(few.url, "only-pack")] * 2
    known = {"Multiply": Claims((replace(few, stars=300),))}
    assert not resolve_packs([want("Multiply")], Knowledge(known), PackPreferences()).questions
    registered = Knowledge(registry={"Multiply": (few,)})
    assert resolve_packs([want("Multiply")], registered, PackPreferences()).questions


def test_a_signed_type_is_of_its_pack_though_copies_list_it() -> None:
    suite = Listing("github.com/ann/suite", "https://github.com/ann/suite", stars=900, pattern=r" \(suite\)$")
    copies = [Listing(f"github.com/{n}/x", f"https://github.com/{n}/x", stars=29) for n in ("eve", "bob")]
    for owners, registry in ((copies[:1], []), (copies, []), ([], copies[:1])):
        known = Knowledge(
            {"Seed (suite)": Claims(tuple(owners), (), (suite,))}, registry={"Seed (suite)": tuple(registry)}
        )
        (choice,) = resolve_packs([want("Seed (suite)")], known, PackPreferences()).choices
        assert picked(choice) == (suite.url, "pattern") and "signed with the name" in choice.evidence
    stars = replace(copies[0], stars=901)
    known = Knowledge({"Seed (suite)": Claims((stars, copies[1]), (), (suite,))})
    assert resolve_packs([want("Seed (suite)")], known, PackPreferences()).questions


def test_a_pack_that_is_needed_anyway_wins() -> None:
    wanted = [want("Y"), want("X")]
    resolution = resolve_packs(wanted, know(*wanted), PackPreferences())
    assert not resolution.questions and [picked(c) for c in resolution.choices] == [(A, "only-pack"), (A, "together")]
    assert '"X" needs this pack anyway' in resolution.choices[1].evidence


def test_where_the_workflow_names_an_unknown_pack_the_needed_one_only_comes_first() -> None:
    wanted = [want("Y", Provenance("somebody-elses")), want("X")]
    (question,) = resolve_packs(wanted, know(*wanted), PackPreferences()).questions
    assert [(c.pack.url, c.already_selected) for c in question.candidates] == [(A, True), (B, False)]


def test_two_packs_that_are_needed_anyway_are_a_question() -> None:
    wanted = [want("Y"), want("X"), want("W")]
    (question,) = resolve_packs(wanted, know(*wanted), PackPreferences()).questions
    assert question.type == "Y" and all(c.already_selected for c in question.candidates)


@given(st.permutations(["X", "Y", "Z", "W", "KSampler", "New (cc)", "Nobody's"]), st.randoms())
def test_the_order_of_nodes_and_of_knowledge_changes_nothing(types: list[str], chance: random.Random) -> None:
    def answer(types: Sequence[str]) -> PackResolution:
        wanted = [want(t, Provenance("pack-a"), Provenance("pack-b")) if t == "Y" else want(t) for t in types]
        return resolve_packs(wanted, know(*wanted, named={"pack-a": PACKS[A], "pack-b": PACKS[B]}), PackPreferences())

    assert answer(types) == answer(sorted(types))


def test_an_unknown_type_of_a_workflow_of_a_newer_comfyui_may_be_its_own() -> None:
    wanted = [want("Nobody's"), want("X")]
    (question,) = resolve_packs(wanted, replace(know(*wanted), core="9.0"), PackPreferences()).questions
    assert question.core == "9.0" and "made with ComfyUI 9.0" in question.why


def test_one_comfyui_is_proposed_for_all_types_that_a_newer_one_has() -> None:
    def core(type_: str, version: str | None) -> UnresolvedType:
        return want(type_, Provenance(cnr_id="comfy-core", version=version))

    def pins(*wanted: UnresolvedType) -> set[str | None]:
        return {q.core for q in resolve_packs(wanted, Knowledge(), PackPreferences()).questions}

    assert pins(core("N", "0.16.1"), core("O", "0.9.2"), core("P", None)) == {"0.16.1"}
    assert pins(core("N", "0.16.1"), want("unknown")) == {"0.16.1", None}


def test_two_packs_of_the_registry_are_a_question_though_a_pattern_matches_too() -> None:
    second = Listing("github.com/bob/else", "https://github.com/bob/else")
    answer = settle(want("New (cc)"), registry={"New (cc)": [ELSE, second]})
    assert isinstance(answer, ProviderQuestion) and answer.why == "several packs of the Comfy registry provide it"
    assert {c.pack.url: c.listed for c in answer.candidates} == {ELSE.url: True, second.url: True, C: False}


def test_the_registry_is_not_asked_for_what_a_preemption_gives() -> None:
    claims = {"T": Claims(preempting=(ELSE,)), "U": Claims(patterns=(ELSE,))}
    assert list_registry_types([want("V"), want("U"), want("T")], Knowledge(claims)) == ("U", "V")


def test_a_former_type_of_comfyui_s_is_told_with_its_successor_unless_the_workflow_names_a_pack() -> None:
    known = replace(know(want("X")), replaced={"X": "NewX"})
    (question,) = resolve_packs([want("X")], known, PackPreferences((ID_A,))).questions
    assert (question.replaced_by, question.core, question.candidates) == ("NewX", "", ())
    assert question.why == 'ComfyUI replaced it by "NewX", which the pinned ComfyUI has'
    named = replace(known, named={"pack-b": PACKS[B]})
    (choice,) = resolve_packs([want("X", Provenance("pack-b"))], named, PackPreferences()).choices
    assert picked(choice) == (B, "workflow")
    (question,) = resolve_packs([want("X", Provenance("unknown"))], known, PackPreferences()).questions
    assert question.replaced_by is None and "which is not known" in question.why


def test_nodes_of_comfyui_and_of_a_pack_by_the_workflow_are_no_question_about_comfyui() -> None:
    stated = (Provenance("comfy-core"), Provenance("pack-b"))
    answer = settle(want("X", *stated), named={"pack-b": PACKS[B]})
    assert isinstance(answer, ProviderQuestion) and answer.core is None
    assert answer.why == "the workflow states different packs for its nodes"
    assert picked(settle(want("X", *stated), PackPreferences((ID_B,)), named={"pack-b": PACKS[B]})) == (B, "preference")


def test_a_type_of_comfyui_without_a_known_version_says_no_version() -> None:
    answer = settle(want("Upscale"))
    assert isinstance(answer, ProviderQuestion) and answer.core == ""
    assert answer.why == "it is ComfyUI's own, but the ComfyUI that is pinned lacks it"
    answer = settle(want("N", Provenance("comfy-core", None, "1.2")))
    assert isinstance(answer, ProviderQuestion) and answer.why.endswith("is pinned lacks it; ComfyUI 1.2 has it")
    (question,) = resolve_packs(
        [want("N", Provenance("comfy-core"))], Knowledge({"N": Claims(since="1.3")}), PackPreferences()
    ).questions
    assert question.core == "1.3"


@pytest.mark.parametrize("known", [{"types": ("Y",)}, {"registry_id": "else"}])
def test_a_pack_that_the_workflow_names_is_known_by_its_types_or_its_registry_id(known: dict[str, Any]) -> None:
    pack = replace(ELSE, registry_id=None, types=())
    for listing, evidence in (
        (replace(pack, **known), "the workflow says so"),
        (pack, "the workflow says so; the catalog does not know this pack"),
    ):
        answer = settle(want("X", Provenance("p")), named={"p": listing})
        assert isinstance(answer, ProviderChoice) and answer.evidence == evidence


def test_a_template_s_type_says_that_packs_may_provide_it_only_where_some_may() -> None:
    def why(claims: Claims, *registered: Listing) -> str:
        known = Knowledge({"N": claims}, registry={"N": registered})
        (question,) = resolve_packs([want("N")], known, PackPreferences()).questions
        return question.why

    assert "may provide it too" not in why(Claims(since="1.0"))
    assert "may provide it too" in why(Claims(since="1.0", patterns=(ELSE,)))
    assert "may provide it too" in why(Claims(since="1.0"), ELSE)


def test_what_nothing_lists_is_told_as_such_and_what_patterns_match_as_that() -> None:
    answer = settle(want("Nobody's"))
    assert isinstance(answer, ProviderQuestion) and answer.unlisted and answer.core is None
    assert answer.why == "no known node pack provides it"
    patterns = Claims(patterns=(ELSE, PACKS[C]))
    (question,) = resolve_packs([want("N")], Knowledge({"N": patterns}), PackPreferences()).questions
    assert question.why == "no known node pack lists it, only naming patterns match it" and not question.unlisted
    assert [c.listed for c in question.candidates] == [False, False]
    (question,) = resolve_packs([want("N")], Knowledge({"N": patterns}, core="9"), PackPreferences()).questions
    assert question.why == "no known node pack lists it, only naming patterns match it" and question.core is None


def test_a_pattern_proves_nothing_where_a_pack_of_more_stars_is_listed_or_in_the_registry() -> None:
    suite = Listing("github.com/ann/suite", "https://github.com/ann/suite", stars=10, pattern=r" \(suite\)$")
    famous = Listing("github.com/eve/x", "https://github.com/eve/x", stars=500)
    for registry, owners in (((famous,), ()), ((), (famous,))):
        known = Knowledge({"Seed (suite)": Claims(owners, (), (suite,))}, registry={"Seed (suite)": registry})
        (choice,) = resolve_packs([want("Seed (suite)")], known, PackPreferences()).choices
        assert choice.pack == famous
    alone = Knowledge({"Seed (suite)": Claims((), (), (suite,))})
    (choice,) = resolve_packs([want("Seed (suite)")], alone, PackPreferences()).choices
    assert choice.evidence == "the type matches the naming pattern of this pack, and of no other"
    itself = Knowledge({"Seed (suite)": Claims((), (), (suite,))}, registry={"Seed (suite)": (suite,)})
    assert picked(resolve_packs([want("Seed (suite)")], itself, PackPreferences()).choices[0]) == (
        suite.url,
        "registry",
    )


def test_two_unknown_ids_are_a_question_though_one_candidate_is_called_so() -> None:
    answer = settle(want("X", Provenance("comfyui-a"), Provenance("other")))
    assert isinstance(answer, ProviderQuestion)
    assert answer.why == "according to the workflow it is from comfyui-a and other, which is not known"


def test_a_needed_pack_is_not_taken_for_a_type_of_comfyui_s_nor_where_only_a_pattern_matches() -> None:
    wanted = [want("X"), want("Upscale")]
    (question,) = resolve_packs(wanted, know(*wanted), PackPreferences()).questions
    assert question.type == "Upscale" and [c.already_selected for c in question.candidates] == [True]
    claims = {"X": Claims((PACKS[A],)), "N": Claims(patterns=(PACKS[A], PACKS[C]))}
    (question,) = resolve_packs([want("X"), want("N")], Knowledge(claims), PackPreferences()).questions
    assert question.type == "N"


def test_a_needed_pack_is_not_taken_where_the_workflow_names_two_others() -> None:
    named = {"pack-b": PACKS[B], "else": ELSE}
    wanted = [want("Y", Provenance("pack-b"), Provenance("else")), want("X")]
    (question,) = resolve_packs(wanted, know(*wanted, named=named), PackPreferences()).questions
    assert question.type == "Y" and {c.pack.url for c in question.candidates} == {A, B, ELSE.url}
    wanted = [want("Y", Provenance("pack-b"), Provenance("else")), want("W")]
    assert picked(resolve_packs(wanted, know(*wanted, named=named), PackPreferences()).choices[1]) == (B, "together")


def test_the_versions_of_an_unknown_pack_are_unused_for_another() -> None:
    answer = settle(want("X", Provenance("comfyui-a", None, "1.0")))
    assert isinstance(answer, ProviderChoice) and (answer.versions, answer.unused) == (("1.0",), ())
    answer = settle(want("X", Provenance("other", None, "1.0")), PackPreferences((ID_A,)))
    assert isinstance(answer, ProviderChoice) and (answer.versions, answer.unused) == ((), ("1.0",))
    question = settle(want("Y", Provenance("other", None, "1.0")))
    assert isinstance(question, ProviderQuestion)
    assert [(c.versions, c.unused) for c in question.candidates] == [((), ("1.0",))] * 2
    stated = (Provenance("pack-b", None, "2.0"), Provenance("else"), Provenance("other", None, "1.0"))
    question = settle(want("X", *stated), named={"pack-b": PACKS[B], "else": ELSE})
    assert isinstance(question, ProviderQuestion)
    versions = {c.pack.url: (c.versions, c.unused) for c in question.candidates}
    assert versions == {A: ((), ()), B: (("2.0",), ()), ELSE.url: ((), ())}


def test_what_the_catalog_alone_decides_is_not_put_down_to_the_lock() -> None:
    assert picked(settle(want("X"), PackPreferences((), frozenset({ID_A})))) == (A, "only-pack")
    assert picked(settle(want("Z"), PackPreferences((), frozenset({ID_B})))) == (B, "preemption")
    assert picked(settle(want("Z"), PackPreferences((), frozenset({ID_A})))) == (A, "lock")


def test_the_registry_decides_nothing_where_lists_have_several() -> None:
    for registered in ([ELSE], [ELSE, PACKS[C]]):
        answer = settle(want("Y"), registry={"Y": registered})
        assert isinstance(answer, ProviderQuestion) and answer.why == "2 known node packs provide it"


def test_an_unknown_id_may_be_the_registry_id_of_a_candidate() -> None:
    called = replace(PACKS[B], registry_id="Its_Own.ID")
    claims = {"N": Claims((PACKS[A], called))}
    (choice,) = resolve_packs([want("N", Provenance("its-own-id"))], Knowledge(claims), PackPreferences()).choices
    assert (choice.pack, choice.reason) == (called, "workflow")
    assert choice.evidence == "the workflow names its-own-id, and only one pack with that name provides the type"


def test_a_pattern_that_is_no_signature_proves_less_than_the_registry() -> None:
    famous = Listing("github.com/zoe/nodes", "https://github.com/zoe/nodes", stars=900, pattern=r" \(cc\)$")
    known = Knowledge({"N (cc)": Claims(patterns=(famous,))}, registry={"N (cc)": (replace(ELSE, stars=1),)})
    (choice,) = resolve_packs([want("N (cc)")], known, PackPreferences()).choices
    assert (choice.pack.url, choice.reason) == (ELSE.url, "registry")


def test_choices_are_sorted_by_type_also_those_that_come_together() -> None:
    claims = {"B": Claims((PACKS[A],)), "A": Claims((PACKS[A], PACKS[B])), "C": Claims((PACKS[B],))}
    wanted = [want("B"), want("A")]
    assert [c.type for c in resolve_packs(wanted, Knowledge(claims), PackPreferences()).choices] == ["A", "B"]


def test_why_a_type_of_templates_is_asked_about() -> None:
    (question,) = resolve_packs([want("N")], Knowledge({"N": Claims(since="1.0")}), PackPreferences()).questions
    assert question.why == "no list has it yet, and official templates use it as a type of ComfyUI 1.0"


def test_that_a_name_is_a_plain_word_matters_only_where_one_pack_alone_has_it() -> None:
    few = Listing("github.com/eve/math", "https://github.com/eve/math", stars=2)
    given = Knowledge({"Multiply": Claims(owners=(few, ELSE), preempting=(few,))})
    assert picked(resolve_packs([want("Multiply")], given, PackPreferences()).choices[0]) == (few.url, "preemption")
    several = Knowledge({"Multiply": Claims((ELSE, PACKS[A]))}, registry={"Multiply": (few,)})
    (question,) = resolve_packs([want("Multiply")], several, PackPreferences()).questions
    assert question.why == "2 known node packs provide it"
