"""A restore over HTTP: what it would do, and the operation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pycomfy.services.operations.requests import RestoreRequest
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record
from tests.support.studio import BEARER, studio
from tests.support.waiting import wait_until

PLAN = "/api/workflows/portrait/versions/1/restore"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    workspace = Workspace.open(tmp_path)
    record(workspace.paths, make_files("portrait"))
    with studio(workspace, headers=BEARER) as client:
        yield client


def test_a_project_is_planned_and_written_into_a_new_folder(client: TestClient, tmp_path: Path) -> None:
    folder = tmp_path / "restored" / "portrait-1"
    planned = client.get(PLAN, params={"form": "project", "folder": str(folder)})
    assert (planned.status_code, planned.json()["folder"], planned.json()["version"]) == (
        200,
        str(folder),
        "portrait@1",
    )
    assert not folder.exists()
    request = {"kind": "restore", "workflow": "portrait@1", "form": "project", "folder": str(folder)}
    key = client.post("/api/operations", json=request).json()["id"]
    wait_until(lambda: client.get(f"/api/operations/{key}").json()["finished_at"] is not None)
    found = client.get(f"/api/operations/{key}").json()
    assert (found["state"], found["result"]["project"]) == ("done", str(folder))
    assert (folder / "workflow.json").read_bytes() == make_files("portrait")["workflow.json"]


def test_a_folder_with_something_in_it_is_refused_before(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    answer = client.get(PLAN, params={"form": "project", "folder": str(tmp_path / "full")})
    assert answer.status_code == 422 and answer.json()["fixes"]


@pytest.mark.parametrize("folder", ["x/y", "--to", "~/x", "", "/x\x00y"])
def test_a_folder_needs_an_absolute_path(client: TestClient, folder: str) -> None:
    answer = client.get(PLAN, params={"form": "project", "folder": folder})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, []),
        ({"offline": True}, ["--offline"]),
        ({"form": "folder", "folder": "/x/y z"}, ["--to", "/x/y z"]),
        ({"form": "project", "folder": "/x/-y", "offline": True}, ["--project", "/x/-y", "--offline"]),
    ],
)
def test_each_form_is_the_same_command_line(tmp_path: Path, more: dict[str, object], words: list[str]) -> None:
    request = RestoreRequest.model_validate({"kind": "restore", "workflow": "portrait@1", **more})
    command = request.command(Workspace.open(tmp_path), tmp_path)
    assert command == ["restore", "portrait@1", "--json", *words]
