import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.versions.git import BareRepository
from pycomfy.adapters.versions.remote import merge_text
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.versions.merge import Conflict, Merged, list_conflicts, merge, take_name
from tests.support.service_projects import PROMPT, make_files, node, with_steps


@pytest.fixture
def git(tmp_path: Path) -> Any:
    """git itself, which needs no repository for this."""
    return lambda *texts: merge_text(BareRepository(tmp_path / "none"), *texts)


BASE = make_files("hello")
OTHER_FILE = {**PROMPT, "1": node("LoadImage", image="b.png")}


def files_of(merged: Merged) -> dict[str, bytes]:
    assert merged.conflicts == ()
    return merged.files


def test_edits_of_different_nodes_become_one_workflow_with_its_own_pin(git: Any) -> None:
    made = files_of(merge(BASE, make_files("hello", with_steps(30)), make_files("hello", OTHER_FILE), git))
    prompt = json.loads(made["prompt.json"])
    assert (prompt["2"]["inputs"]["steps"], prompt["1"]["inputs"]["image"]) == (30, "b.png")
    pins = parse_lock(made["pycomfy.lock"].decode())
    assert pins.workflow.sha256 == hashlib.sha256(made["workflow.json"]).hexdigest()


def test_workflows_in_one_line_are_merged_as_well(git: Any) -> None:
    def line(prompt: Any) -> dict[str, bytes]:
        files = make_files("hello", prompt)
        return {**files, "workflow.json": json.dumps(prompt).encode(), "prompt.json": json.dumps(prompt).encode()}

    made = files_of(merge(line(PROMPT), line(with_steps(30)), line(OTHER_FILE), git))
    assert json.loads(made["workflow.json"])["1"]["inputs"]["image"] == "b.png"


def test_a_pack_here_and_a_parameter_there_are_both_taken(git: Any) -> None:
    made = files_of(merge(BASE, make_files("hello", pack="e"), make_files("hello", with_steps(9)), git))
    repository = parse_lock(made["pycomfy.lock"].decode()).packs[0].source.repository
    assert repository is not None and repository.commit == "e" * 40
    assert json.loads(made["workflow.json"])["2"]["inputs"]["steps"] == 9


def test_what_one_side_alone_changed_is_that_sides(git: Any) -> None:
    theirs = make_files("hello", with_steps(9))
    assert files_of(merge(BASE, BASE, theirs, git)) == dict(sorted(theirs.items()))
    assert files_of(merge(BASE, theirs, BASE, git)) == dict(sorted(theirs.items()))
    assert files_of(merge(BASE, theirs, theirs, git)) == dict(sorted(theirs.items()))
    without = {k: v for k, v in BASE.items() if k != "README.md"}
    assert "README.md" not in files_of(merge(BASE, without, BASE, git))


def test_a_conflict_is_described_by_node(git: Any) -> None:
    ours, theirs = make_files("hello", with_steps(30)), make_files("hello", with_steps(40))
    merged = merge(BASE, ours, theirs, git)
    assert merged.conflicts == ("prompt.json", "workflow.json")
    (conflict,) = list_conflicts(BASE, ours, theirs, merged.conflicts)
    assert conflict == Conflict("node 2 (KSampler)", "2", ("steps 20 → 30",), ("steps 20 → 40",))
    assert str(conflict) == "node 2 (KSampler): here steps 20 → 30; there steps 20 → 40"


def test_a_conflict_of_pins_is_described_by_pack(git: Any) -> None:
    ours, theirs = make_files("hello", pack="a"), make_files("hello", pack="b")
    merged = merge(BASE, ours, theirs, git)
    assert merged.conflicts == ("pycomfy.lock",)
    (conflict,) = list_conflicts(BASE, ours, theirs, merged.conflicts)
    assert conflict.node is None and str(conflict).startswith(
        "node pack painter: here dddddddddddd of https://x.test/p → aaaa"
    )


def test_removed_here_and_changed_there_is_a_conflict(git: Any) -> None:
    ours = {k: v for k, v in BASE.items() if k != "README.md"}
    theirs = {**BASE, "README.md": b"new"}
    merged = merge(BASE, ours, theirs, git)
    assert merged.conflicts == ("README.md",)
    assert list(map(str, list_conflicts(BASE, ours, theirs, merged.conflicts))) == [
        "README.md was changed on both sides"
    ]


def test_what_has_no_lock_is_not_merged_into_a_version(git: Any) -> None:
    assert merge({}, {"a": b"1"}, {"b": b"2"}, git).conflicts == ("pycomfy.lock",)


def test_the_name_of_a_branch_is_no_change(git: Any) -> None:
    branch, ours = make_files("fast", with_steps(30)), make_files("hello", OTHER_FILE)
    made = files_of(merge(BASE, ours, take_name(branch, ours), git))
    assert (parse_lock(made["pycomfy.lock"].decode()).name, made["README.md"]) == ("hello", b"# hello\n")
    assert json.loads(made["prompt.json"])["2"]["inputs"]["steps"] == 30
    config = {"pycomfy.toml": b'name = "fast"\npython = "3.11"\n[packs.x]\nname = "fast"\n'}
    renamed = take_name({**branch, **config}, ours)["pycomfy.toml"]
    assert renamed == b'name = "hello"\npython = "3.11"\n[packs.x]\nname = "fast"\n'
    assert take_name({"a": b"1"}, ours) == {"a": b"1"} and take_name(ours, BASE) == ours
