"""Packs of pycomfy.toml that make node types while they run: which types are taken from them."""

from dataclasses import replace

import pytest

from pycomfy.core.catalog.match import Claims
from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import (
    Knowledge,
    NamedPack,
    PackPreferences,
    ProviderChoice,
    ProviderQuestion,
    UnresolvedType,
)
from pycomfy.core.nodes.pack_resolver import resolve_packs
from pycomfy.core.requirements.model import Provenance, RequiredNode
from tests.support.catalog_maps import CORE


def pack(name: str, **more: str) -> Listing:
    return Listing(f"github.com/{name}", f"https://github.com/{name}", stars=100, **more)  # type: ignore[arg-type]


MAKER, SECOND, LISTED = pack("ann/makes", registry_id="makes-types"), pack("bob/second"), pack("cid/listed")
NAMED, OTHER = NamedPack("makes", MAKER), NamedPack("other", SECOND)


def resolve(
    knowledge: Knowledge, *stated: Provenance, preferences: PackPreferences | None = None
) -> ProviderChoice | ProviderQuestion:
    nodes = [RequiredNode(str(i), "T", "T", "runs", one) for i, one in enumerate(stated or (None,))]
    found = resolve_packs([UnresolvedType("T", tuple(nodes))], knowledge, preferences or PackPreferences())
    return found.choices[0] if found.choices else found.questions[0]


def chosen(answer: ProviderChoice | ProviderQuestion) -> tuple[Listing, str, bool]:
    assert isinstance(answer, ProviderChoice), answer
    return answer.pack, answer.reason, answer.unlisted


def test_a_type_that_nothing_lists_is_taken_from_the_one_maker_and_building_proves_it() -> None:
    answer = resolve(Knowledge(makers=(NAMED,)))
    assert chosen(answer) == (MAKER, "configured", True)
    assert isinstance(answer, ProviderChoice) and answer.evidence.endswith("nothing lists this one: building proves it")


def test_of_several_makers_the_one_whose_source_has_the_name_is_taken() -> None:
    mentions = replace(OTHER, mentions=frozenset({"T"}))
    answer = resolve(Knowledge(makers=(NAMED, mentions)))
    assert chosen(answer) == (SECOND, "configured", True)
    assert isinstance(answer, ProviderChoice) and answer.evidence.endswith("; its source has the name")


@pytest.mark.parametrize("mentions", [(), ("makes", "other")])
def test_which_of_several_makers_has_it_is_a_question_with_their_names(mentions: tuple[str, ...]) -> None:
    third = NamedPack("third", pack("eve/third"))
    makers = [replace(m, mentions=frozenset({"T"} if m.name in mentions else {})) for m in (OTHER, NAMED, third)]
    answer = resolve(Knowledge(makers=tuple(makers)))
    assert isinstance(answer, ProviderQuestion) and not answer.unlisted
    assert answer.makers == (mentions or ("makes", "other", "third"))
    assert answer.why == f"nothing lists it, and {' and '.join(answer.makers)} make node types while they run"


def test_what_a_list_or_two_of_the_registry_have_is_no_maker_s() -> None:
    makers = (NAMED,)
    assert chosen(resolve(Knowledge({"T": Claims((LISTED,))}, makers=makers)))[:2] == (LISTED, "only-pack")
    assert isinstance(resolve(Knowledge({"T": Claims((LISTED, SECOND))}, makers=makers)), ProviderQuestion)
    assert isinstance(resolve(Knowledge(registry={"T": (LISTED, SECOND)}, makers=makers)), ProviderQuestion)
    newer = resolve(Knowledge(core="9.0", makers=makers))
    assert isinstance(newer, ProviderQuestion) and newer.core == "9.0"


def test_before_patterns_that_only_match_a_maker_is_taken() -> None:
    claims = Claims(patterns=(LISTED, SECOND))
    assert chosen(resolve(Knowledge({"T": claims}, makers=(NAMED,)))) == (MAKER, "configured", True)


@pytest.mark.parametrize(
    "knowledge",
    [
        Knowledge({"T": Claims((LISTED, MAKER))}),
        Knowledge({"T": Claims((LISTED,), (MAKER, SECOND))}),
        Knowledge(registry={"T": (LISTED, MAKER)}),
    ],
    ids=["list", "preemption", "registry"],
)
def test_a_maker_that_is_listed_with_the_type_goes_before_other_packs(knowledge: Knowledge) -> None:
    answer = resolve(replace(knowledge, makers=(NAMED, NamedPack("fourth", pack("x/y")))))
    assert chosen(answer) == (MAKER, "configured", False)
    assert isinstance(answer, ProviderChoice) and answer.evidence.endswith("and is listed with this one")
    locked = PackPreferences((), frozenset({LISTED.identity}))
    assert chosen(resolve(replace(knowledge, makers=(NAMED,)), preferences=locked))[0] == MAKER
    preferred = PackPreferences((LISTED.identity,))
    assert chosen(resolve(replace(knowledge, makers=(NAMED,)), preferences=preferred))[:2] == (LISTED, "preference")


def test_two_makers_that_are_listed_with_the_type_are_a_question() -> None:
    answer = resolve(Knowledge({"T": Claims((MAKER, SECOND))}, makers=(NAMED, OTHER)))
    assert isinstance(answer, ProviderQuestion) and answer.why == "2 known node packs provide it"


def test_a_type_of_comfyui_s_own_is_no_maker_s_though_it_is_listed_with_it() -> None:
    core = Listing(CORE.removeprefix("https://").lower(), CORE)
    answer = resolve(Knowledge({"T": Claims((core, MAKER))}, makers=(NAMED,)))
    assert isinstance(answer, ProviderQuestion) and answer.core == ""


def test_a_maker_that_the_workflow_calls_by_a_name_is_taken() -> None:
    for name in ("makes", "Makes_Types", "MAKES.types"):
        answer = resolve(Knowledge(makers=(OTHER, NAMED)), Provenance(name))
        assert chosen(answer) == (MAKER, "configured", False)
        assert isinstance(answer, ProviderChoice) and answer.evidence.endswith(f"and the workflow names {name}")
    by_section = NamedPack("my-name", pack("o/r"))
    assert chosen(resolve(Knowledge(makers=(by_section,)), Provenance("my_name")))[0] == by_section.pack


def test_a_maker_is_not_taken_where_the_workflow_calls_another_pack_or_two() -> None:
    for stated in ((Provenance("unknown"),), (Provenance("makes"), Provenance("unknown"))):
        answer = resolve(Knowledge({"T": Claims((LISTED, MAKER))}, makers=(NAMED,)), *stated)
        assert isinstance(answer, ProviderQuestion) and "which is not known" in answer.why


def test_of_packs_that_the_workflow_names_for_its_nodes_a_maker_is_taken_and_no_other_maker() -> None:
    named = {"makes-types": MAKER, "listed": LISTED, "second": SECOND}
    stated = (Provenance("makes-types"), Provenance("listed"))
    assert chosen(resolve(Knowledge(named=named, makers=(NAMED, OTHER)), *stated))[:2] == (MAKER, "configured")
    answer = resolve(Knowledge({"T": Claims((SECOND,))}, named, makers=(OTHER,)), *stated)
    assert isinstance(answer, ProviderQuestion) and answer.why == "the workflow states different packs for its nodes"
    unknown = (*stated, Provenance("other"))
    assert isinstance(resolve(Knowledge(named=named, makers=(OTHER,)), *unknown), ProviderQuestion)


def test_a_pack_that_is_needed_anyway_is_not_taken_where_a_maker_may_have_the_type() -> None:
    claims = {"T": Claims(preempting=(LISTED, SECOND)), "U": Claims((LISTED,))}
    knowledge = Knowledge(claims, makers=(NAMED, NamedPack("third", pack("eve/third"))))
    wanted = [UnresolvedType(t, (RequiredNode("1", t, t, "runs"),)) for t in "TU"]
    (question,) = resolve_packs(wanted, knowledge, PackPreferences()).questions
    assert question.type == "T" and question.makers == ("makes", "third")
