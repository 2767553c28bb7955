"""The outputs that the documentation shows are printed by the code as it is, where a test can print them cheaply."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pycomfy.adapters.nix.inspection import NixInspection, SandboxTrial
from pycomfy.cli.errors import print_error
from pycomfy.cli.main import app
from pycomfy.core.nodes.pack_errors import Surroundings, explain_question
from pycomfy.core.nodes.pack_resolution import Knowledge, PackPreferences, UnresolvedType
from pycomfy.core.nodes.pack_resolver import resolve_packs
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.services.doctor.nix import judge_sandbox
from tests.test_docs import PAGES, ROOT, blocks, find_unknown_options

WORKFLOW = ROOT / "examples" / "hello" / "workflow.json"
TUTORIAL = ROOT / "docs" / "tutorial.md"


def shown(page: Path) -> str:
    """All outputs of a page."""
    return "\n".join(blocks(page, ""))


def fixes(page: Path) -> Iterator[str]:
    """The commands of pycomfy that a page shows as fixes of errors."""
    for line in shown(page).splitlines():
        label, _, command = line.strip().partition(" ")
        if label in ("fix:", "or:") and command.strip().startswith("pycomfy "):
            yield command.strip().partition(" (")[0]


def test_the_tutorial_shows_what_inspect_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(WORKFLOW, tmp_path / "card.json")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["inspect", "card.json"])
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert result.exit_code == 0 and "\n".join(lines) in shown(TUTORIAL)


def test_the_tutorial_shows_the_error_of_a_node_type_that_no_pack_provides(capsys: pytest.CaptureFixture[str]) -> None:
    required = collect_requirements(parse_workflow(WORKFLOW.read_bytes(), where="card.json")).nodes
    nodes = tuple(node for node in required if node.type == "HelloCard")
    outcome = resolve_packs([UnresolvedType("HelloCard", nodes)], Knowledge({}, {}), PackPreferences())
    print_error(explain_question(outcome.questions[0], "card.json", Surroundings(fresh=True)))
    assert capsys.readouterr().err in shown(TUTORIAL)


def test_the_page_about_doctor_shows_what_it_says_of_a_sandbox_that_does_not_work() -> None:
    finding = judge_sandbox(NixInspection(None, sandbox=SandboxTrial(False, "cloning builder process: …")))
    assert finding.details and finding.details in shown(ROOT / "docs" / "how-to" / "doctor.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_that_are_shown_as_fixes_exist(page: Path) -> None:
    for command in fixes(page):
        assert find_unknown_options(shlex.split(command)) == set(), command
