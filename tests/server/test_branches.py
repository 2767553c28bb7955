"""What is done with versions over HTTP: history, tags, branches, revert and merge."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pycomfy.services.studio.working_folders import open_working_folder
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import PROMPT, make_files, node, record, with_steps
from tests.support.studio import BEARER, studio

URL = "/api/workflows/hello"
OTHER_FILE = {**PROMPT, "1": node("LoadImage", image="b.png")}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """hello@1 and hello@2, which has 30 steps."""
    workspace = Workspace.open(tmp_path)
    record(workspace.paths, make_files("hello"), "first")
    record(workspace.paths, make_files("hello", with_steps(30)), "second")
    return workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with studio(workspace, headers=BEARER) as client:
        yield client


def test_a_tag_is_given_moved_only_by_force_and_removed(client: TestClient) -> None:
    assert client.post(f"{URL}/versions/1/tags", json={"tag": "stable"}).json()["version"] == 1
    refused = client.post(f"{URL}/versions/2/tags", json={"tag": "stable"})
    assert (refused.status_code, refused.json()["fixes"][1]["arguments"]) == (422, {"force": True})
    assert client.post(f"{URL}/versions/2/tags", json={"tag": "stable", "force": True}).status_code == 201
    newest = client.get(f"{URL}/history").json()["entries"][0]
    assert (newest["version"], newest["tags"], newest["newest_of"]) == (2, ["hello@stable"], ["hello"])
    assert client.delete(f"{URL}/tags/stable").status_code == 200
    assert client.delete(f"{URL}/tags/stable").status_code == 404


def test_a_branch_shares_the_history_and_its_changes_are_merged(client: TestClient, workspace: Workspace) -> None:
    assert client.post(f"{URL}/versions/1/branch", json={"name": "fast"}).json()["version"] == 1
    record(workspace.paths, make_files("fast", OTHER_FILE), "another picture")
    record(workspace.paths, make_files("stranger"), "unrelated")
    plan = client.get(f"{URL}/merge", params={"other": "fast@2"}).json()
    assert (plan["state"], plan["version"], plan["conflicts"]) == ("new", 3, [])
    assert plan["changes"] == ['node 1 (LoadImage): image "a.png" → "b.png"']
    made = client.post(f"{URL}/merge", json={"other": "fast@2"})
    assert (made.status_code, made.json()["version"], made.json()["new"]) == (201, 3, True)
    entries = client.get(f"{URL}/history").json()["entries"]
    assert [(one["name"], one["version"]) for one in entries] == [("hello", 3), ("fast", 2), ("hello", 2), ("hello", 1)]
    assert entries[0]["parents"] == [entries[2]["commit"], entries[1]["commit"]]
    assert client.get(f"{URL}/versions/3/diff", params={"to": 2}).json()["settings"] == []
    again = client.get(f"{URL}/merge", params={"other": "fast@2"}).json()
    assert (again["state"], again["version"]) == ("same", 3)
    assert client.post(f"{URL}/merge", json={"other": "fast@2"}).json()["new"] is False


def test_a_conflict_is_shown_by_node_and_settled_by_a_side(client: TestClient, workspace: Workspace) -> None:
    client.post(f"{URL}/versions/1/branch", json={"name": "fast"})
    record(workspace.paths, make_files("fast", with_steps(40)), "more steps")
    plan = client.get(f"{URL}/merge", params={"other": "fast"}).json()
    (conflict,) = plan["conflicts"]
    assert plan["state"] == "conflict" and conflict["node"] == "2"
    assert (conflict["here"], conflict["there"]) == (["steps 20 → 30"], ["steps 20 → 40"])
    refused = client.post(f"{URL}/merge", json={"other": "fast"})
    assert refused.status_code == 422 and "here steps 20 → 30" in refused.text
    assert client.get(f"{URL}/merge", params={"other": "fast", "prefer": "theirs"}).json()["changes"] == [
        "node 2 (KSampler): steps 30 → 40"
    ]
    assert client.post(f"{URL}/merge", json={"other": "fast", "prefer": "theirs"}).json()["version"] == 3


def test_a_conflict_is_settled_node_by_node(client: TestClient, workspace: Workspace) -> None:
    both = {**with_steps(40), "3": node("SaveImage", images=["2", 0], filename_prefix="theirs")}
    mine = {**with_steps(50), "3": node("SaveImage", images=["2", 0], filename_prefix="ours")}
    client.post(f"{URL}/versions/2/branch", json={"name": "fast"})
    record(workspace.paths, make_files("fast", both), "theirs")
    record(workspace.paths, make_files("hello", mine), "ours")
    plan = client.get(f"{URL}/merge", params={"other": "fast"}).json()
    assert [one["node"] for one in plan["conflicts"]] == ["2", "3"]
    half = client.get(f"{URL}/merge", params={"other": "fast", "node": "2=theirs"}).json()
    assert half["state"] == "conflict" and [one["node"] for one in half["conflicts"]] == ["3"]
    whole = client.get(f"{URL}/merge", params={"other": "fast", "node": ["2=theirs", "3=ours"]}).json()
    assert (whole["state"], whole["changes"]) == ("new", ["node 2 (KSampler): steps 50 → 40"])
    for node_id in ("1=ours", "2", "9=theirs"):
        assert client.get(f"{URL}/merge", params={"other": "fast", "node": node_id}).status_code == 422
    made = client.post(f"{URL}/merge", json={"other": "fast", "nodes": {"2": "theirs", "3": "ours"}})
    assert made.status_code == 201
    changed = client.get(
        f"{URL}/versions/{made.json()['version'] - 1}/diff", params={"to": made.json()["version"]}
    ).json()
    assert [one["node"] for one in changed["nodes"]["parameters"]] == ["2"]


def test_a_revert_says_what_it_does_and_the_working_folder_goes_along(client: TestClient, workspace: Workspace) -> None:
    folder = open_working_folder(workspace, "hello")
    plan = client.get(f"{URL}/versions/1/revert").json()
    assert (plan["version"], plan["state"], plan["follows"]) == (3, "new", True)
    assert plan["changes"] == ["node 2 (KSampler): steps 30 → 20"]
    made = client.post(f"{URL}/versions/1/revert", json={"message": "worse"}).json()
    assert (made["version"], made["follows"]) == (3, True)
    assert json.loads((folder / "workflow.json").read_text()) == PROMPT
    assert json.loads((folder / "pycomfy.lock").read_text())["name"] == "hello"
    assert client.get(URL).json()["state"] == "built"
    assert client.get(f"{URL}/versions/3/revert").json()["state"] == "same"
    # What was changed there is nobody's to overwrite.
    (folder / "workflow.json").write_text(json.dumps(OTHER_FILE))
    assert client.get(f"{URL}/versions/2/revert").json()["follows"] is False
    assert client.post(f"{URL}/versions/2/revert", json={}).json()["follows"] is False
    assert json.loads((folder / "workflow.json").read_text()) == OTHER_FILE


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("versions/1/tags", {"tag": "../../heads/hello"}),
        ("versions/1/tags", {"tag": "7"}),
        ("versions/1/branch", {"name": "../x"}),
        ("versions/1/branch", {"name": "hello"}),
        ("versions/9/branch", {"name": "x"}),
        ("merge", {"other": "--exec=x"}),
        ("merge", {"other": "nobody"}),
        ("merge", {"other": "hello", "prefer": "mine"}),
        ("versions/9/revert", {}),
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, path: str, body: object) -> None:
    answer = client.post(f"{URL}/{path}", json=body)
    assert answer.status_code in (404, 422) and answer.json()["message"]
