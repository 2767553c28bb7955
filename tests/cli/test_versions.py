"""The commands on versions, as a user calls them: what they print, and how they leave."""

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pycomfy.adapters.io.paths import find_paths
from pycomfy.cli.branch import show as show_branches
from pycomfy.services.versions.branch import list_branches
from pycomfy.services.workspace import Workspace
from tests.support import command_line
from tests.support.command_line import Outcome
from tests.support.service_projects import make_files, make_image, record, with_steps

Call = Callable[..., Outcome]

MERGE_BOTH = ("merge", "hello", "hello@1", "--ours", "--theirs")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """pycomfy, with a data folder that has hello@1 and hello@2."""
    monkeypatch.setenv("PYCOMFY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    record(find_paths(), make_files("hello"), "first", make_image("root", "workflow:1"))
    record(find_paths(), make_files("hello", with_steps(30)), "second", make_image("root", "workflow:2"))

    return lambda *arguments: command_line.call(*arguments, cwd=tmp_path, env=os.environ)


def test_diff_tells_what_changed_and_exits_with_3_if_asked(call: Call) -> None:
    lines = call("diff", "hello@1").out.splitlines()
    assert lines == [
        "node 2 (KSampler): steps 20 → 30",
        "image linux/amd64: 0.00 GB, 1 layer shared, other: workflow",
    ]
    assert call("diff", "hello@1", "hello@2", "--exit-code").status == 3
    same = call("diff", "hello@2", "hello", "--exit-code", "--json")
    assert (same.status, same.json()["nodes"]["parameters"]) == (0, [])
    assert call("diff", "hello@1", "--json").json()["nodes"]["parameters"] == [
        {
            "node": "2",
            "type": "KSampler",
            "title": "",
            "input": "steps",
            "old": 20,
            "new": 30,
            "added": False,
            "removed": False,
        }
    ]


def test_show_has_the_contracts_keys_and_more(call: Call) -> None:
    shown = call("show", "hello", "--json").json()
    log = call("log", "hello", "--json").json()[0]
    assert {key: shown[key] for key in log} == log
    assert shown["flake"].startswith("git+file://")
    text = call("show", "hello@2").out
    assert "node 2 (KSampler): steps 20 → 30" in text


def test_show_prints_a_command_that_works_with_a_default_nix(call: Call) -> None:
    """tests/nix/test_project_flake.py calls such a command."""
    assert "nix build --extra-experimental-features 'nix-command flakes' 'git+file://" in call("show", "hello@2").out


def test_tags_branches_and_names(call: Call) -> None:
    assert call("tag", "stable", "hello@1").out == "hello@stable is hello@1\n"
    assert [row["tag"] for row in call("tag", "--json").json()] == ["stable"]
    assert call("branch", "fast", "hello@stable", "--json").json()["version"] == 1
    assert [row["name"] for row in call("branch", "--json").json()] == ["fast", "hello"]
    assert call("rename", "fast", "faster").out.startswith("fast is faster@1 now")
    assert call("tag", "-d", "stable", "hello").out.startswith("removed hello@stable")
    assert call("tag").out == ""
    assert call("rm", "faster").status == 0


def test_a_tag_that_is_made_or_removed_is_json_on_request(call: Call) -> None:
    assert call("tag").err.startswith("no tags yet: pycomfy tag TAG REF")
    made = call("tag", "stable", "hello@1", "--json").json()
    assert (made["name"], made["tag"], made["version"], made["schema_version"]) == ("hello", "stable", 1, 1)
    removed = call("tag", "-d", "stable", "hello", "--json").json()
    assert (removed["tag"], removed["commit"]) == ("stable", made["commit"])


def test_workflows_are_a_table_on_a_terminal_and_lines_elsewhere(call: Call) -> None:
    label, built, commit = call("branch").out.rstrip("\n").split("\t")
    assert label == "hello@2" and built.endswith("Z")
    written = io.StringIO()
    show_branches(list_branches(Workspace.open()), Console(file=written, width=100))
    assert [line.split() for line in written.getvalue().splitlines()] == [
        ["version", "built", "commit"],
        ["hello@2", *built.removesuffix("Z").split("T"), commit],
    ]


def test_an_error_in_json_has_the_version_of_its_form(call: Call) -> None:
    answer = call("show", "nothing", "--json").json()
    assert answer["schema_version"] == 1 and answer["error"]["code"] == "not-found"


def test_what_is_missing_in_a_call_is_a_usage_error(call: Call) -> None:
    for arguments in (
        ("tag", "x"),
        ("branch", "x"),
        ("checkout", "hello"),
        ("pull", "x", "--ours", "--theirs"),
        MERGE_BOTH,
    ):
        assert call(*arguments).status == 2


def test_what_is_wrong_is_told_with_its_code(call: Call) -> None:
    for arguments, code in (
        (("show", "nothing"), "not-found"),
        (("show", "a b"), "bad-input"),
        (("revert", "hello@7"), "not-found"),
        (("rm", "hello"), "bad-input"),
        (("push", "ext::sh"), "bad-config"),
        (("pull", "nowhere"), "not-found"),
        (("tag", "7", "hello"), "bad-input"),
        (("branch", "a..b", "hello"), "bad-input"),
        (("merge", "hello", "nobody"), "not-found"),
    ):
        answer = call(*arguments)
        assert answer.status == 1, answer
        assert "fix:" in answer.err and "Traceback" not in answer.err
        if arguments[0] != "rm":  # which has no --json
            assert call(*arguments, "--json").json()["error"]["code"] == code


def test_a_version_is_checked_out_and_reverted_to(call: Call, tmp_path: Path) -> None:
    written = call("checkout", "hello@1", "--to", str(tmp_path / "work"), "--json").json()
    assert (written["version"], len(written["files"])) == (1, 3)
    assert call("revert", "hello@1", "-m", "back", "--json").json()["version"] == 3
    assert call("diff", "hello@1", "hello@3", "--exit-code").status == 0
    assert "already" in call("revert", "hello@1").out


def test_what_a_branch_changed_is_merged_and_a_conflict_names_the_node(call: Call) -> None:
    call("branch", "fast", "hello@1")
    record(find_paths(), make_files("fast", with_steps(40)), "more steps")
    refused = call("merge", "hello", "fast@2")
    assert "node 2 (KSampler): here steps 20 → 30; there steps 20 → 40" in refused.err and "--theirs" in refused.err
    assert call("merge", "hello", "fast@2", "--theirs", "--dry-run").out == "hello@3 has the changes of fast@2\n"
    assert call("merge", "hello", "fast@2", "--theirs", "--json").json()["version"] == 3
    assert call("merge", "hello", "fast@2").out == "hello@3, the newest, has all changes of fast@2 already\n"
    assert call("show", "hello", "--json").json()["message"] == "merge fast@2"


def test_a_versions_repository_is_pushed_pulled_and_indexed(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "shared")], check=True)
    assert call("push", str(tmp_path / "shared"), "hello").out == "hello\tnew\n"
    monkeypatch.setenv("PYCOMFY_HOME", str(tmp_path / "other"))
    assert call("pull", str(tmp_path / "shared"), "--json").json()["workflows"] == {"hello": "new"}
    assert len(call("log", "--json").json()) == 2
    assert call("reindex", "--json").json() == {"schema_version": 1, "workflows": 1, "versions": 2}
