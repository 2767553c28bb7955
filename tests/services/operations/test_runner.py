"""Operations are processes that outlive their server; what became of each is found out, never believed."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from pycomfy.errors import BadInput, NotFound
from pycomfy.services.operations import runner as module
from pycomfy.services.operations.requests import (
    BuildRequest,
    LockRequest,
    OperationRequest,
    Request,
    RunRequest,
    VerifyRequest,
)
from pycomfy.services.operations.results import read_events
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.studio.working_folders import add_example
from pycomfy.services.workspace import Workspace
from tests.support.studio import Gate, gate
from tests.support.waiting import wait_until


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


@pytest.fixture
def held() -> Iterator[Gate]:
    with gate() as found:
        yield found
    for thread in threading.enumerate():  # those that write what became of an operation
        if thread.name.startswith("operation "):
            thread.join()


def wait(runner: OperationRunner, key: str) -> str:
    wait_until(lambda: runner.find(key).finished_at is not None)
    return runner.find(key).state


def pid(runner: OperationRunner, key: str) -> int:
    return int((runner.folder(key).path / "pid").read_text())


def test_the_result_of_a_command_is_kept(workspace: Workspace, held: Gate) -> None:
    runner = OperationRunner(workspace)
    key = runner.start(held.request()).id
    assert held.asked.wait(600)
    assert runner.find(key).state == "running"
    held.opened.set()
    assert wait(runner, key) == "done"
    found = OperationRunner(workspace).find(key)
    assert (
        found.exit_status == 0
        and found.result is not None
        and found.result["nodes"][0]["type"] == "SaveImage"
        and found.error is None
    )


def test_a_cancelled_command_ends_as_by_ctrl_c(workspace: Workspace, held: Gate) -> None:
    runner = OperationRunner(workspace)
    key = runner.start(held.request()).id
    assert held.asked.wait(600)
    runner.cancel(key)
    assert wait(runner, key) == "cancelled"
    events, _ = read_events(runner.folder(key), runner.folder(key).find_position(0))
    assert "interrupted: nothing was left half-done" in [event.text for event in events]
    assert runner.cancel(key).state == "cancelled"  # again: nothing to do


def test_a_command_that_was_killed_is_interrupted(workspace: Workspace, held: Gate) -> None:
    runner = OperationRunner(workspace)
    key = runner.start(held.request()).id
    assert held.asked.wait(600)
    os.kill(pid(runner, key), signal.SIGKILL)
    assert wait(runner, key) == "interrupted"


def test_after_a_crash_what_is_gone_is_interrupted_and_what_runs_is_followed(workspace: Workspace, held: Gate) -> None:
    """The first runner is as a server that was killed: nothing of it acts any more, only its processes live."""
    crashed = OperationRunner(workspace, limit=2)
    crashed._finish = lambda key, status: None  # type: ignore[method-assign]
    gone, alive, waiting = (crashed.start(held.request()).id for _ in range(3))
    crashed._closed = True
    wait_until(lambda: crashed.folder(gone).is_running)
    os.kill(pid(crashed, gone), signal.SIGKILL)
    wait_until(lambda: not crashed.folder(gone).is_running)
    assert [crashed.find(key).state for key in (gone, alive, waiting)] == ["running", "running", "waiting"]

    runner = OperationRunner(workspace)
    runner.recover()
    assert [runner.find(key).state for key in (gone, alive, waiting)] == ["interrupted", "running", "interrupted"]
    held.opened.set()
    assert wait(runner, alive) == "done"


def test_a_command_that_ended_while_no_server_was_there_is_done(workspace: Workspace, held: Gate) -> None:
    crashed = OperationRunner(workspace)
    crashed._finish = lambda key, status: None  # type: ignore[method-assign]
    done, failed = crashed.start(held.request()).id, crashed.start(held.request("nothing")).id
    held.opened.set()
    wait_until(lambda: not crashed.folder(done).is_running and not crashed.folder(failed).is_running)
    runner = OperationRunner(workspace)
    runner.recover()
    assert (runner.find(done).state, runner.find(failed).state) == ("done", "failed")
    assert runner.find(failed).error is not None


def test_ten_at_once_one_fails_one_is_cancelled_and_the_others_are_done(workspace: Workspace, held: Gate) -> None:
    runner = OperationRunner(workspace, limit=3)
    keys = [runner.start(held.request("nothing" if at == 4 else "workflow.json")).id for at in range(10)]
    assert sorted(runner.find(key).state for key in keys) == ["running"] * 3 + ["waiting"] * 7
    runner.cancel(keys[7])
    held.opened.set()
    states = [wait(runner, key) for key in keys]
    assert states == ["done"] * 4 + ["failed"] + ["done"] * 2 + ["cancelled"] + ["done"] * 2


def test_a_server_that_ends_leaves_what_runs_and_gives_up_what_waits(workspace: Workspace, held: Gate) -> None:
    runner = OperationRunner(workspace, limit=1)
    runs, waits = runner.start(held.request()).id, runner.start(held.request()).id
    assert runner.close() == 1
    assert runner.find(waits).state == "interrupted"
    assert runner.folder(runs).is_running


def test_changes_are_told(workspace: Workspace, held: Gate) -> None:
    told: list[str] = []
    runner = OperationRunner(workspace, on_change=told.append)
    held.opened.set()
    key = runner.start(held.request()).id
    wait(runner, key)
    wait_until(lambda: told.count(key) >= 2)


def test_no_more_wait_than_can_be_shown(workspace: Workspace, held: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    runner = OperationRunner(workspace, limit=1)
    runner.start(held.request())
    runner.start(held.request())
    with pytest.raises(BadInput, match="wait already"):
        runner.start(held.request())
    runner.close()


def test_the_oldest_folders_are_removed(workspace: Workspace, held: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = OperationRunner(workspace)
    held.opened.set()
    old = runner.start(held.request()).id
    new = runner.start(held.request()).id
    wait(runner, old), wait(runner, new)
    monkeypatch.setattr(module, "MAX_KEPT", 1)
    OperationRunner(workspace).recover()
    assert not runner.folder(old).path.exists() and runner.folder(new).path.exists()


@pytest.mark.parametrize("key", ["", "..", "../x", "a/b", "a\0", "é", "x" * 41])
def test_what_is_no_key_names_no_folder(workspace: Workspace, key: str) -> None:
    with pytest.raises(NotFound):
        OperationRunner(workspace).find(key)


def test_commands_are_those_of_the_command_line(workspace: Workspace, tmp_path: Path) -> None:
    add_example(workspace)
    folder = str(workspace.paths.workflows / "hello")
    build = BuildRequest(kind="build", workflow="hello", message="--json", platform="linux/arm64", locked=True)
    words = ["build", folder, "--json", "--message=--json", "--platform", "linux/arm64", "--locked"]
    assert build.command(workspace, tmp_path) == words
    lock = LockRequest(kind="lock", workflow="hello", prefer=("a", "b"))
    assert lock.command(workspace, tmp_path) == ["lock", folder, "--json", "--prefer", "a", "--prefer", "b"]
    assert VerifyRequest(kind="verify", workflow="hello@2").command(workspace, tmp_path) == [
        "verify",
        "hello@2",
        "--json",
    ]
    run = RunRequest(kind="run", workflow="hello", inputs={"text": "é"})
    assert run.command(workspace, tmp_path)[-4:] == [
        "--inputs",
        str(tmp_path / "inputs.json"),
        "--output",
        str(tmp_path / "outputs"),
    ]
    assert json.loads((tmp_path / "inputs.json").read_text()) == {"text": "é"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"kind": "gc"}, ["gc", "--json"]),
        (
            {"kind": "gc", "keep": 0, "older_than": 9, "loaded": True},
            ["gc", "--json", "--keep", "0", "--older-than", "9", "--loaded"],
        ),
        ({"kind": "reindex"}, ["reindex", "--json"]),
        ({"kind": "catalog-update"}, ["catalog", "update", "--json"]),
        ({"kind": "archive-fill", "models": True}, ["archive", "fill", "--json", "--models"]),
        ({"kind": "archive-verify", "repair": True}, ["archive", "verify", "--json", "--repair"]),
        ({"kind": "models-verify"}, ["models", "verify", "--json"]),
    ],
)
def test_what_is_done_to_the_machine_needs_no_workflow(
    workspace: Workspace, tmp_path: Path, body: dict[str, object], words: list[str]
) -> None:
    request = TypeAdapter[Request](OperationRequest).validate_python(body)
    assert (request.name, request.workflow) == ("", "")
    assert request.command(workspace, tmp_path) == words
