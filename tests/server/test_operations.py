"""Operations over HTTP and the WebSocket: start, follow, cancel; what a run made."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pycomfy.core.loose_json import as_mapping
from pycomfy.errors import suggest
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace
from tests.support.studio import BEARER, gate, studio
from tests.support.waiting import wait_until

LIVE = "ws://127.0.0.1:8787/api/live"


@pytest.fixture
def runner(tmp_path: Path) -> OperationRunner:
    return OperationRunner(Workspace.open(tmp_path))


@pytest.fixture
def client(runner: OperationRunner) -> Iterator[TestClient]:
    with studio(runner.workspace, runner, headers=BEARER) as client:
        yield client


def is_over(client: TestClient, key: str) -> bool:
    return client.get(f"/api/operations/{key}").json()["finished_at"] is not None


def test_an_operation_is_the_command_with_its_result_and_its_error(client: TestClient) -> None:
    answer = client.post("/api/operations", json={"kind": "verify", "workflow": "nothing@3"})
    assert answer.status_code == 201
    key = answer.json()["id"]
    wait_until(lambda: is_over(client, key))
    found = client.get(f"/api/operations/{key}").json()
    assert (found["state"], found["exit_status"], found["workflow"]) == ("failed", 1, "nothing")
    assert found["error"]["code"] == "not-found" and found["error"]["fixes"]
    assert [one["id"] for one in client.get("/api/operations", params={"workflow": "nothing"}).json()] == [key]
    assert client.get("/api/operations", params={"workflow": "other"}).json() == []


def test_a_workflow_that_is_not_there_fails_as_an_operation(client: TestClient) -> None:
    key = client.post("/api/operations", json={"kind": "build", "workflow": "nothing"}).json()["id"]
    assert client.get(f"/api/operations/{key}").json()["error"]["code"] == "not-found"


def test_a_fix_that_needs_no_workflow_is_an_operation(client: TestClient, runner: OperationRunner) -> None:
    """Its kind is the fix's action with a hyphen for each space, its arguments are the fix's."""
    bare = runner.workspace.versions.bare
    with bare.writing():
        pass
    fix = suggest("reindex", "copies it again").as_dict()
    body = {"kind": str(fix["action"]).replace(" ", "-"), **dict(as_mapping(fix["arguments"]))}
    answer = client.post("/api/operations", json=body)
    assert answer.status_code == 201, answer.text
    key = answer.json()["id"]
    wait_until(lambda: is_over(client, key))
    found = client.get(f"/api/operations/{key}").json()
    assert (found["state"], found["workflow"], found["command"]) == ("done", "", ["reindex"])


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "rm", "workflow": "a"},
        {"kind": "build"},
        {"kind": "build", "workflow": "a", "engine": "sh"},
        {"kind": "lock", "workflow": "a", "packs": ["--output=/etc/passwd"]},
        {"kind": "lock", "workflow": "a", "prefer": ["a\u0000b"]},
        {"kind": "verify", "workflow": "--all"},
        {"kind": "verify", "workflow": "../x"},
        {"kind": "run", "workflow": "a", "gpus": "all --privileged"},
        {"kind": "restore", "workflow": "a@1", "form": "folder"},
        {"kind": "restore", "workflow": "a@1", "folder": "/tmp/x"},
        {"kind": "restore", "workflow": "a@1", "form": "project", "folder": "--to"},
        {"kind": "restore", "workflow": "a@1", "form": "project", "folder": "x/y"},
        {"kind": "restore", "workflow": "a@1", "form": "project", "folder": "/x\u0000y"},
        {"kind": "gc", "caches": True},
        {"kind": "gc", "keep": -1},
        {"kind": "gc", "workflow": "a"},
        {"kind": "doctor"},
        [],
    ],
)
def test_what_no_operation_may_be_given_is_refused(client: TestClient, body: object) -> None:
    assert client.post("/api/operations", json=body).status_code == 422
    assert client.get("/api/operations").json() == []


def collect(socket: Any, key: str) -> tuple[list[int], list[str]]:
    """The numbers of the events, and the states, until the operation is over."""
    seqs: list[int] = []
    states: list[str] = []
    while True:
        message = json.loads(socket.receive_text())
        if "events" in message:
            seqs += [event["seq"] for event in message["events"]]
        elif message["operation"]["id"] == key:
            states.append(message["operation"]["state"])
            if message["operation"]["finished_at"] is not None:
                return seqs, states


def test_who_comes_back_gets_what_was_missed_and_nothing_twice(client: TestClient, runner: OperationRunner) -> None:
    with gate() as held:
        key = runner.start(held.request("nothing")).id
        assert held.asked.wait(600)
        with client.websocket_connect(LIVE) as socket:
            socket.send_text(json.dumps({"follow": key, "after": 0}))
            first = json.loads(socket.receive_text())
            assert first["operation"]["state"] == "running"
        held.opened.set()
        wait_until(lambda: is_over(client, key))
    total = len(runner.folder(key).events.read_text().splitlines())
    assert total > 1
    for after in (0, 1, total - 1):
        with client.websocket_connect(LIVE) as socket:
            socket.send_text(json.dumps({"follow": key, "after": after}))
            json.loads(socket.receive_text())  # its state
            events = json.loads(socket.receive_text())["events"]
            assert [event["seq"] for event in events] == list(range(after + 1, total + 1))


def test_states_and_events_come_while_it_happens(client: TestClient, runner: OperationRunner) -> None:
    with gate() as held, client.websocket_connect(LIVE) as socket:
        key = runner.start(held.request("nothing")).id
        socket.send_text(json.dumps({"follow": key}))
        held.opened.set()
        _, states = collect(socket, key)
        assert states[-1] == "failed"


def test_nonsense_on_the_websocket_is_ignored(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        for text in ("", "[", "[]", '{"follow": 3}', '{"follow": "../..", "after": 0}', '{"follow": "x", "after": -1}'):
            socket.send_text(text)
        key = client.post("/api/operations", json={"kind": "build", "workflow": "nothing"}).json()["id"]
        assert json.loads(socket.receive_text())["operation"]["id"] == key


def test_an_output_is_a_file_of_the_run_and_is_never_a_page(client: TestClient, runner: OperationRunner) -> None:
    key = client.post("/api/operations", json={"kind": "build", "workflow": "nothing"}).json()["id"]
    folder = runner.folder(key)
    (folder.outputs / "sub").mkdir(parents=True)
    (folder.outputs / "sub/a.png").write_bytes(b"png")
    (folder.outputs / "b.html").write_text("<script>alert(1)</script>")
    (folder.outputs / "link.png").symlink_to("/etc/passwd")
    base = f"/api/operations/{key}/outputs"
    picture = client.get(f"{base}/sub/a.png")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    page = client.get(f"{base}/b.html")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment") and "sandbox" in str(page.headers)
    for path in ("..%2fresult.json", "%2fetc%2fpasswd", "link.png", "nothing", "sub", "..%2f..%2f..%2fpycomfy.db"):
        assert client.get(f"{base}/{path}").status_code == 404, path
    for key in ("..", "..%2f..", "x" * 50, "%00"):
        assert client.get(f"/api/operations/{key}/outputs/a.png").status_code in (404, 422)
