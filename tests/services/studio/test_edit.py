"""Changed values in a working folder: the file, its lock, and what is said before."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.sources.config_fingerprint import load_config_fingerprints, save_config_fingerprint
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.errors import BadInput
from pycomfy.services.lock.kept_pins import find_locked_workflow, keep_pins
from pycomfy.services.studio.edit import EditRequest, EditResult, WantedChange, edit_values, show_node_values
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record

FINGERPRINT = "a" * 64


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path)
    record(workspace.paths, make_files("portrait"))
    return workspace


def folder(workspace: Workspace) -> Path:
    return workspace.paths.workflows / "portrait"


def edit(
    workspace: Workspace, *changes: tuple[str, str, str], base: str | None = None, dry: bool = False
) -> EditResult:
    base = base or show_node_values(workspace, "portrait", "", "2").base
    wanted = tuple(WantedChange(node=node, key=key, text=text) for node, key, text in changes)
    return edit_values(workspace, "portrait", EditRequest(base=base, changes=wanted, dry=dry))


def read(workspace: Workspace) -> Any:
    return json.loads((folder(workspace) / "workflow.json").read_text())


def test_what_will_happen_is_said_before_and_nothing_is_written(workspace: Workspace) -> None:
    planned = edit(workspace, ("2", "steps", "30"), dry=True)
    assert (planned.version, planned.keeps_lock, planned.why) == (2, True, "")
    assert [(one.name, one.old, one.new) for one in planned.changes] == [("steps", "20", "30")]
    assert not folder(workspace).exists()
    assert edit(workspace, ("2", "steps", "30")) == planned


def test_a_saved_value_keeps_every_pin_of_the_lock(workspace: Workspace) -> None:
    before = parse_lock(make_files("portrait")["pycomfy.lock"].decode())
    edit(workspace, ("2", "steps", "30"))
    assert read(workspace)["2"]["inputs"]["steps"] == 30
    data = (folder(workspace) / "workflow.json").read_bytes()
    assert data.startswith(b'{\n "1"') and data.endswith(b"}\n")  # as it was written before
    lock = parse_lock((folder(workspace) / "pycomfy.lock").read_text())
    assert lock.workflow.sha256 == hashlib.sha256(data).hexdigest() != before.workflow.sha256
    assert lock.model_copy(update={"workflow": before.workflow}) == before


def test_the_kept_lock_is_of_the_same_configuration(workspace: Workspace) -> None:
    edit(workspace, ("2", "steps", "30"))
    path = folder(workspace) / "pycomfy.lock"
    save_config_fingerprint(path.read_text(), FINGERPRINT, workspace.paths)
    edit(workspace, ("2", "steps", "31"))
    assert FINGERPRINT in load_config_fingerprints(path.read_text(), workspace.paths)


def test_another_model_needs_another_lock(workspace: Workspace) -> None:
    edit(workspace, ("3", "filename_prefix", "y"))
    text = (folder(workspace) / "pycomfy.lock").read_text()
    result = edit(workspace, ("3", "filename_prefix", "sd.safetensors"))
    assert not result.keeps_lock and "models" in result.why
    assert (folder(workspace) / "pycomfy.lock").read_text() == text


def test_changes_of_another_state_are_refused(workspace: Workspace) -> None:
    base = show_node_values(workspace, "portrait", "", "2").base
    edit(workspace, ("2", "steps", "30"), base=base)
    with pytest.raises(BadInput, match="has changed since"):
        edit(workspace, ("2", "steps", "31"), base=base)
    assert read(workspace)["2"]["inputs"]["steps"] == 30


def test_of_wrong_values_nothing_is_written(workspace: Workspace) -> None:
    with pytest.raises(BadInput):
        edit(workspace, ("2", "cfg", "2.0"), ("2", "steps", "many"))
    assert not folder(workspace).exists() or read(workspace)["2"]["inputs"]["cfg"] == 1.0


def test_the_workflow_that_a_lock_was_made_for_is_found_in_its_versions(workspace: Workspace) -> None:
    files = make_files("portrait")
    lock = parse_lock(files["pycomfy.lock"].decode())
    assert find_locked_workflow(workspace, lock) == files["workflow.json"]
    other = files["workflow.json"].replace(b'"steps": 20', b'"steps": 21')
    kept = keep_pins(lock, files["workflow.json"], other)
    assert kept is not None and find_locked_workflow(workspace, kept) is None
    assert keep_pins(kept, files["workflow.json"], other) is None
    assert keep_pins(lock, files["workflow.json"], other.replace(b"KSampler", b"Other")) is None
    assert keep_pins(lock, files["workflow.json"], b"[") is None
