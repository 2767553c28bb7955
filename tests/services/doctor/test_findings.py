import json

import pytest

from pycomfy.cli.doctor import show
from pycomfy.cli.fixes import render
from pycomfy.errors import BadInput, MissingTool, suggest
from pycomfy.services.doctor.findings import GROUPS, MAX_DETAILS, MAX_ITEMS, MAX_TEXT, Subject, clean, make_result
from pycomfy.services.doctor.subjects import CATALOG, CLOCK, GIT, PYTHON_INDEX, SUBJECTS, UV


def test_texts_are_bounded_and_shown_harmlessly_whoever_wrote_them(capsys: pytest.CaptureFixture[str]) -> None:
    wild = "\x1b[31mred\x1b[0m \x1b]0;title\x07\u202emirrored\x00\x07 \ud800" + "x" * 100_000
    found = GIT.warning(wild, details=f"a\r\nb\x1b[2J{wild}", fix=wild, facts={"list": [wild] * 500, wild: {"a": wild}})
    text = json.dumps(found.model_dump(mode="json"))
    assert "[31m" not in text and "title" not in text and "red" in text
    assert len(found.what) <= MAX_TEXT and len(found.details) <= MAX_DETAILS and found.details.startswith("a\nb")
    assert len(text) < (MAX_ITEMS + 4) * (MAX_TEXT + 10) * 6
    show(make_result([found], offline=True), verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "mirrored" in line]) == 3 and all(line.isprintable() for line in lines)


def test_what_a_program_printed_does_not_look_like_a_fix(capsys: pytest.CaptureFixture[str]) -> None:
    show(make_result([GIT.warning("a\n      fix: evil", details="b\nfix: evil", fix="c")], offline=True))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("fix:")] == ["fix: c"] and "| fix: evil" in lines


def test_a_cleaned_text_says_that_it_was_cut() -> None:
    assert clean("abcdef", 4) == "abc…" and clean("abcd", 4) == "abcd"
    assert clean("\ttab\n", 99) == "tab" and clean("a\tb", 99) == "a   b"


def test_the_json_has_each_fix_in_words_and_as_data() -> None:
    found = CATALOG.note("old", fix=(suggest("catalog update"), "wait"))
    dumped = found.model_dump(mode="json", context={"render": render})
    assert dumped["fix"] == "pycomfy catalog update; or wait"
    assert dumped["fixes"] == [{"action": "catalog update", "arguments": {}, "note": ""}, {"advice": "wait"}]
    assert set(dumped) == {"group", "id", "subject", "state", "what", "details", "fix", "fixes", "facts"}


def test_findings_are_shown_by_group_and_ids_are_unique() -> None:
    result = make_result([PYTHON_INDEX.ok("a"), GIT.ok("b"), PYTHON_INDEX.warning("c"), CLOCK.ok("d")], offline=False)
    assert [f.id for f in result.findings] == [
        "machine.clock",
        "programs.git",
        "network.python-index",
        "network.python-index.2",
    ]
    assert result.counts == {"ok": 3, "note": 0, "warning": 1, "problem": 0, "unknown": 0, "skipped": 0}
    assert result.ok and not make_result([UV.problem("gone")], offline=False).ok


def test_only_a_problem_is_one() -> None:
    states = [GIT.note(""), GIT.warning(""), GIT.finding("unknown", ""), GIT.finding("skipped", "")]
    assert make_result(states, offline=True).ok


def test_a_check_that_failed_says_why() -> None:
    found = GIT.unknown(MissingTool("no git", where="PATH", fix="install it"))
    assert (found.state, found.what, found.details, found.fix) == ("unknown", "no git", "PATH", ("install it",))
    ours = GIT.unknown(ZeroDivisionError("division by zero"))
    assert ours.state == "unknown" and "ZeroDivisionError: division by zero" in ours.what
    assert GIT.unknown(BadInput("bad")).fix == ()


def test_every_subject_has_an_id_of_its_own_in_its_group() -> None:
    assert len({s.id for s in SUBJECTS}) == len(SUBJECTS) > 40
    assert all(s.id.split(".")[0] == s.group for s in SUBJECTS)
    assert {s.group for s in SUBJECTS} == set(GROUPS)
    assert [s.group for s in SUBJECTS] == sorted((s.group for s in SUBJECTS), key=GROUPS.index)


@pytest.mark.parametrize("state", ["ok", "note", "warning", "problem"])
def test_a_subject_makes_findings_of_every_state(state: str) -> None:
    found = getattr(Subject("gpu", "gpu", "GPU"), state)("so it is", facts={"a": 1})
    assert (found.state, found.group, found.id, found.facts) == (state, "gpu", "gpu", {"a": 1})
