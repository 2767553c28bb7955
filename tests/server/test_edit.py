"""Values that are changed over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pycomfy.services.workspace import Workspace
from tests.support.studio import BEARER, WORKFLOW, studio

VALUES = "/api/workflows/sky/values"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with studio(Workspace.open(tmp_path), headers=BEARER) as client:
        client.post("/api/workflows?file=sky.json", content=json.dumps(WORKFLOW).encode())
        yield client


def test_a_value_is_shown_changed_and_drawn(client: TestClient) -> None:
    shown = client.get(VALUES, params={"node": "1"}).json()
    (value,) = shown["values"]
    assert (value["key"], value["text"], value["kind"], shown["known"]) == ("filename_prefix", "x", "text", False)
    change = {"graph": "", "node": "1", "key": "filename_prefix", "text": "<b>y</b>"}
    answer = client.post(VALUES, json={"base": shown["base"], "changes": [change]})
    assert (answer.status_code, answer.json()["version"], answer.json()["keeps_lock"]) == (200, 1, False)
    graph = client.get("/api/workflows/sky/graph").json()
    assert graph["graphs"][0]["nodes"][0]["values"] == [{"name": "filename_prefix", "text": "<b>y</b>"}]
    assert client.post(VALUES, json={"base": shown["base"], "changes": [change]}).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"node": "1", "key": "filename_prefix"},
        {"node": "1", "key": "filename_prefix", "text": 3},
        {"node": "1", "key": "filename_prefix", "text": "a", "path": "/etc/passwd"},
        {"node": "2", "key": "filename_prefix", "text": "a"},
        {"node": "1", "key": "class_type", "text": "a"},
        {"node": "1", "key": "__proto__", "text": "a"},
        {"node": "1", "graph": "../..", "key": "filename_prefix", "text": "a"},
    ],
)
def test_what_is_no_value_is_refused_with_the_reason(client: TestClient, change: object) -> None:
    base = client.get(VALUES, params={"node": "1"}).json()["base"]
    answer = client.post(VALUES, json={"base": base, "changes": [change]})
    assert answer.status_code in (404, 422) and answer.json()["message"]
