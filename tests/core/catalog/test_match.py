from dataclasses import replace

import pytest

from pycomfy.core.catalog.manager_lists import parse_catalog
from pycomfy.core.catalog.match import Claims, answer_type, is_weak
from tests.support.catalog_maps import A, B, C, claim, lists, some


@pytest.mark.parametrize(
    ("type_", "answer", "reason"),
    [
        ("KSampler", "comfy-core", "built-in"),
        ("Upscale", "comfy-core", "built-in"),
        ("X", A, "only-pack"),
        ("W", B, "only-pack"),
        ("Z", B, "preemption"),
        ("Y", None, "ambiguous"),
        ("New (cc)", C, "pattern"),
        ("Nobody's", None, "unknown"),
    ],
)
def test_each_rule_answers_its_types(type_: str, answer: str | None, reason: str) -> None:
    found = answer_type(type_, claim(some(), type_))
    assert (found.answer, found.reason) == (answer, reason)


def test_a_type_that_only_templates_know_is_likely_comfyuis_own_and_no_answer() -> None:
    found = answer_type("New", Claims(since="0.42.6"))
    assert (found.answer, found.reason, found.since) == (None, "template", "0.42.6")
    known = replace(claim(some(), "KSampler"), since="0.9.0")
    assert (answer_type("KSampler", known).answer, answer_type("KSampler", known).since) == ("comfy-core", "0.9.0")
    assert answer_type("New (cc)", replace(claim(some(), "New (cc)"), since="0.9.0")).reason == "template"


def test_candidates_are_ranked_by_stars_and_not_chosen_by_them() -> None:
    found = answer_type("Y", claim(some(), "Y"))
    assert [p.url for p in found.candidates] == [B, A] and found.pack is None


def test_two_packs_that_both_preempt_are_a_question() -> None:
    packs = parse_catalog(lists({A: (["X"], {"preemptions": ["X"]}), B: (["X"], {"preemptions": ["X"]})}))
    assert answer_type("X", claim(packs, "X")).reason == "ambiguous"


def test_a_loose_pattern_or_two_are_a_question() -> None:
    packs = parse_catalog(lists({A: (["A Smart"], {"nodename_pattern": "Smart"}), B: (["Smart B"],)}))
    found = answer_type("Smart C", claim(packs, "Smart C"))
    assert found.reason == "ambiguous" and [p.url for p in found.candidates] == [A]
    packs = parse_catalog(
        lists({A: (["a_jru"], {"nodename_pattern": "_jru$"}), B: ([], {"nodename_pattern": "_jru$|^jr_"})})
    )
    assert answer_type("c_jru", claim(packs, "c_jru")).reason == "ambiguous"


SUITE, COPY = "https://github.com/ann/ComfyUI-Suite", "https://github.com/eve/copies"


@pytest.mark.parametrize(
    ("stars", "own", "pattern", "expected"),
    [
        (2000, [], r" \(suite\)$", SUITE),
        (29, [], r" \(suite\)$", COPY),  # as many stars as the copy
        (2000, ["Other (suite)"], r" \(suite\)$", COPY),  # lists know its types, and this is none
        (2000, [], r" \(sweet\)$|\(suite\)$", COPY),  # not only its own name
        (2000, [], "Seed", COPY),
    ],
)
def test_a_signed_type_is_not_of_a_copy_with_fewer_stars(
    stars: int, own: list[str], pattern: str, expected: str
) -> None:
    copies = (["Seed (suite)", "Odd (suite)"],)
    listed = {SUITE: (own, {"nodename_pattern": pattern}), COPY: copies}
    packs = parse_catalog(lists(listed, (), {SUITE: {"stars": stars}, COPY: {"stars": 29}}))
    assert answer_type("Seed (suite)", claim(packs, "Seed (suite)")).answer == expected


def test_a_signed_type_that_no_list_has_is_its_packs_though_copies_list_others() -> None:
    listed = {SUITE: ([], {"nodename_pattern": r" \(suite\)$"}), COPY: (["Seed (suite)"],)}
    packs = parse_catalog(lists(listed, (), {SUITE: {"stars": 9}, COPY: {"stars": 2}}))
    assert answer_type("New (suite)", claim(packs, "New (suite)")).answer == SUITE


def test_packs_of_one_person_sign_alike() -> None:
    other = "https://github.com/suite/tools"
    listed = {"https://github.com/suite/extra": ([], {"nodename_pattern": "- Suite$"}), other: (["Box - Suite"],)}
    packs = parse_catalog(lists(listed, (), {"https://github.com/suite/extra": {"stars": 9}, other: {"stars": 2}}))
    assert answer_type("Box - Suite", claim(packs, "Box - Suite")).answer == other


def test_a_plain_word_of_a_pack_that_hardly_anybody_knows_is_weak() -> None:
    packs = parse_catalog(lists({COPY: (["Multiply", "Add", "CopyTool"],)}, (), {COPY: {"stars": 29}}))
    pack = next(pack for pack in packs if pack.url == COPY)
    assert is_weak("Multiply", pack, ()) and is_weak("Multiply", pack, ("Add", "OtherTool"))
    assert not is_weak("Multiply", pack, ("CopyTool",)) and not is_weak("CopyTool", pack, ())
    assert not is_weak("Multiply", replace(pack, stars=30), ()) and not is_weak("Add", replace(pack, stars=None), ())


def test_nothing_known_is_unknown() -> None:
    assert answer_type("T", Claims()).answer is None
