from dataclasses import replace

import pytest

from pycomfy.core.catalog.manager_lists import parse_catalog
from pycomfy.core.catalog.match import Claims, answer_type
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


def test_candidates_are_ranked_by_stars_and_never_chosen_by_them() -> None:
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


def test_nothing_known_is_unknown() -> None:
    assert answer_type("T", Claims()).answer is None
