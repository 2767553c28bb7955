"""Commands in a data folder that does not exist yet: what reads, finds nothing and creates nothing."""

import os
from pathlib import Path

import pytest

from pycomfy.cli.commands import list_commands
from tests.support.command_line import Outcome, call

MAKE_FIRST = "fix: pycomfy build WORKFLOW (makes the first)"

UNKNOWN_WORKFLOW = (
    "branch new nope",
    "check nope",
    "check nope@2",
    "checkout nope --to out",
    "diff nope",
    "diff nope@1 nope@2",
    "export nope -o nope.tar.zst",
    "api nope",
    "export nope --format pylock -o pylock.toml",
    "load nope",
    "log nope",
    "merge nope main",
    "models pull nope",
    "models status nope",
    "rename nope new",
    "restore nope",
    "restore nope --to out",
    "revert nope@1",
    "rm nope",
    "run nope",
    "run nope@1",
    "show nope",
    "show nope@2",
    "tag new nope",
    "tag -d new nope",
    "verify nope",
)
"""What names a workflow that does not exist."""

NOTHING_TO_SHOW = (
    "archive status",
    "archive verify",
    "branch",
    "disk",
    "doctor --offline",
    "log",
    "models status",
    "models verify",
    "tag",
    "users log",
    "verify --all",
)

OTHER_ERRORS = (
    "build nope.json",
    "capture nope",
    "catalog resolve KSampler",
    "catalog search nope",
    "catalog show https://example.org/nope",
    "check nope/",
    "dev nope.json",
    "convert nope.json --object-info nope.json",
    "import nope.json",
    "inspect nope.json",
    "lock nope.json",
    "push nowhere",
    "push nowhere nope",
    "users list --auth users.toml",
    "users rm anna --auth users.toml",
)

NOT_FOR_READING = {
    "archive fill",
    "archive gc",
    "archive pull",
    "archive push",
    "catalog update",
    "gc",
    "models add",
    "pull",
    "reindex",
    "serve",
    "users add",
}
"""Commands that make something wherever they succeed, and do not name what must be there already."""


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Outcome:
    """How a command ended in a machine of its own, which it left as it was."""
    for folder in ("work", "user", "tmp"):
        (tmp_path / folder).mkdir()
    before = sorted(tmp_path.rglob("*"))
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "user"),
        "PYCOMFY_HOME": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path / "tmp"),
        "COLUMNS": "200",
    }
    outcome = call(*request.param.split(), cwd=tmp_path / "work", env=env)
    assert sorted(tmp_path.rglob("*")) == before
    return outcome


def test_every_command_is_tried_or_is_not_for_reading() -> None:
    tried = {
        name
        for line in (*UNKNOWN_WORKFLOW, *NOTHING_TO_SHOW, *OTHER_ERRORS)
        for name in list_commands()
        if line == name or line.startswith(f"{name} ")
    }
    assert tried | NOT_FOR_READING == set(list_commands()) and not tried & NOT_FOR_READING


@pytest.mark.parametrize("run", UNKNOWN_WORKFLOW, indirect=True)
def test_for_an_unknown_workflow_the_fix_is_to_make_a_version(run: Outcome) -> None:
    assert run.status == 1 and 'no workflow "nope": there are no versions yet' in run.told and MAKE_FIRST in run.told


@pytest.mark.parametrize("run", NOTHING_TO_SHOW, indirect=True)
def test_a_list_is_empty(run: Outcome) -> None:
    assert run.status == 0 and "error" not in run.told


@pytest.mark.parametrize("run", ["branch", "log", "verify --all"], indirect=True)
def test_where_versions_would_be_listed_it_says_how_to_make_the_first(run: Outcome) -> None:
    assert (run.out, run.told) == ("", "no versions yet: pycomfy build WORKFLOW (makes the first)")


@pytest.mark.parametrize("run", OTHER_ERRORS, indirect=True)
def test_an_error_leaves_nothing_behind(run: Outcome) -> None:
    assert run.status == 1 and "fix:" in run.told
