"""Workflows over HTTP: added, listed, drawn; whatever is in them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record
from tests.support.studio import BEARER, WORKFLOW, studio

SCRIPT = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with studio(workspace, headers=BEARER) as client:
        yield client


def add(client: TestClient, workflow: object, file: str = "sky.json") -> Any:
    return client.post("/api/workflows", params={"file": file}, content=json.dumps(workflow).encode())


def test_a_workflow_that_is_added_is_listed_and_drawn_before_it_is_built(client: TestClient) -> None:
    assert add(client, WORKFLOW).json()["name"] == "sky"
    (entry,) = client.get("/api/workflows").json()
    assert (entry["name"], entry["state"], entry["versions"]) == ("sky", "new", 0)
    graph = client.get("/api/workflows/sky/graph").json()
    assert [node["type"] for node in graph["graphs"][0]["nodes"]] == ["SaveImage"]
    needs = client.get("/api/workflows/sky/needs").json()
    assert (needs["types"], needs["code"]) == (["SaveImage"], [])
    assert client.get("/api/workflows/sky/versions").json() == []


def test_the_example_is_added_with_its_node_pack(client: TestClient, workspace: Workspace) -> None:
    assert client.post("/api/workflows/example").json()["name"] == "hello"
    folder = workspace.paths.workflows / "hello"
    assert (folder / "pycomfy.toml").is_file() and (folder / "packs/hello-card/.git").is_dir()


def test_a_second_one_of_the_same_name_gets_another(client: TestClient) -> None:
    assert [add(client, WORKFLOW).json()["name"] for _ in range(3)] == ["sky", "sky-2", "sky-3"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("../../etc/evil.json", "evil"), ("..\\..\\evil.png", "evil"), ("..", "workflow"), (".lock", "workflow")],
)
def test_a_files_name_never_leads_out_of_the_folder(
    client: TestClient, workspace: Workspace, file: str, name: str
) -> None:
    added = add(client, WORKFLOW, file).json()
    assert added["name"].startswith(name)
    assert Path(added["file"]).parent.parent == workspace.paths.workflows


@pytest.mark.parametrize("name", ["..", "..%2f..%2fetc", "%2e%2e", "-x", "a%00b", "a..b", "x.lock"])
def test_a_name_that_no_workflow_has_is_refused(client: TestClient, name: str) -> None:
    for path in ("graph", "needs", "versions", "folder"):
        call = client.delete if path == "folder" else client.get
        answer = call(f"/api/workflows/{name}/{path}")
        assert answer.status_code in (404, 405, 422) or answer.json() == []


def test_a_script_in_every_text_stays_a_text(client: TestClient) -> None:
    node = {
        "id": 1,
        "type": SCRIPT,
        "title": SCRIPT,
        "pos": [0, 0],
        "size": [SCRIPT, SCRIPT],
        "color": f"red;{SCRIPT}",
        "inputs": [{"name": SCRIPT, "type": SCRIPT, "link": None}],
        "outputs": [{"name": SCRIPT, "type": SCRIPT, "links": []}],
        "widgets_values": [SCRIPT],
        "properties": {"cnr_id": SCRIPT, "aux_id": SCRIPT, "ver": SCRIPT},
    }
    group = {"title": SCRIPT, "bounding": [0, 0, 1, 1], "color": SCRIPT}
    added = add(client, {"nodes": [node], "links": [], "groups": [group], "version": 0.4}, f"{SCRIPT}.json").json()
    answer = client.get(f"/api/workflows/{added['name']}/graph")
    assert answer.headers["content-type"] == "application/json"
    (drawn,) = answer.json()["graphs"][0]["nodes"]
    assert (drawn["title"], drawn["color"]) == (SCRIPT, None)
    assert answer.json()["graphs"][0]["groups"][0]["color"] is None
    assert "<" not in added["name"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b'{"nodes": []}', b"\x89PNG\r\n\x1a\n", b"[" * 100_000])
def test_a_file_without_a_workflow_is_refused_with_the_reason(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/workflows?file=x.json", content=body)
    assert answer.status_code == 422 and answer.json()["fixes"], answer.text
    assert client.get("/api/workflows").json() == []


def test_an_unknown_workflow_is_a_problem_with_a_fix(client: TestClient) -> None:
    for path in ("", "/graph", "/needs", "/versions/1", "/versions/1/image"):
        answer = client.get(f"/api/workflows/nothing{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_versions_are_shown_as_the_command_line_shows_them(client: TestClient, workspace: Workspace) -> None:
    record(workspace.paths, make_files("portrait"))
    record(workspace.paths, make_files("portrait", torch="2.9.1"))
    (entry,) = client.get("/api/workflows").json()
    assert (entry["state"], entry["versions"], entry["version"]) == ("built", 2, 2)
    assert [one["version"] for one in client.get("/api/workflows/portrait/versions").json()] == [2, 1]
    diff = client.get("/api/workflows/portrait/versions/1/diff", params={"to": 2}).json()
    (torch,) = diff["packages"]
    assert torch["name"] == "torch" and torch["old"].startswith("2.9.0 ") and torch["new"].startswith("2.9.1 ")
    assert client.get("/api/workflows/portrait/versions/2").json()["comfyui_version"] == "0.3.75"
    code = client.get("/api/workflows/portrait/needs").json()["code"]
    assert [one["name"] for one in code] == ["ComfyUI", "painter"]


def test_a_working_folder_that_differs_from_the_newest_version_says_so(
    client: TestClient, workspace: Workspace
) -> None:
    record(workspace.paths, make_files("portrait"))
    folder = workspace.paths.workflows / "portrait"
    folder.mkdir(parents=True)
    (folder / "workflow.json").write_text(json.dumps(WORKFLOW))
    assert client.get("/api/workflows/portrait").json()["state"] == "changed"
    assert client.delete("/api/workflows/portrait/folder").status_code == 204
    assert client.get("/api/workflows/portrait").json()["state"] == "built"
