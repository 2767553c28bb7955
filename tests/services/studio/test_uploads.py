"""Files that are given to runs from the browser: those that nothing needs are found."""

import io
import os
import time
from pathlib import Path

import pytest

from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.database.records import OperationRecord, OperationState
from pycomfy.core.versions.reference import parse_reference
from pycomfy.services.run.history import Given, record_run
from pycomfy.services.studio.uploads import FRESH, find_unused_uploads, keep_upload
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.workspace import Workspace
from tests.support.moments import NOW
from tests.support.service_projects import make_files, make_image, record


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to("disk")  # as on a larger disk
    return Workspace.open(tmp_path / "home")


def sent(workspace: Workspace, data: bytes, *, age: float = FRESH + 60) -> Path:
    path = keep_upload(workspace, io.BytesIO(data), "cat.png").path
    os.utime(path.parent, (time.time() - age,) * 2)
    return path


def given_to_a_run(workspace: Workspace, path: Path) -> None:
    record(workspace.paths, make_files("hello"), "first", make_image("root"))
    run = Run(started_at=NOW, engine="podman", gpus=None, device="cpu", seconds=2.0, outputs=(), error="failed")
    image = find_image(workspace, parse_reference("hello"), "linux/amd64")
    record_run(workspace, image, run, Given({"seed": 7}, {"image": str(path.resolve()), "other": None}))


def given_to_an_operation(workspace: Workspace, path: Path, state: OperationState) -> None:
    inputs = {"image": str(path), "seed": 1, "text": "/\0"}
    arguments: dict[str, object] = {"kind": "run", "workflow": "hello", "inputs": inputs}
    at = "2026-01-01T00:00:00.000Z"
    operation = OperationRecord(f"key-{state}", "run", "hello", arguments, state, at, None, None, None)
    with workspace.open_database() as database:
        database.add_operation(operation)


def test_what_no_run_in_the_history_and_no_operation_has_is_unused_after_a_day(workspace: Workspace) -> None:
    assert find_unused_uploads(workspace) == []
    ran, waits, failed, left = (sent(workspace, name) for name in (b"ran", b"waits", b"failed", b"left"))
    sent(workspace, b"just now", age=60)
    given_to_a_run(workspace, ran)
    given_to_an_operation(workspace, waits, "waiting")
    given_to_an_operation(workspace, failed, "failed")
    assert find_unused_uploads(workspace) == sorted([failed.parent, left.parent])


def test_a_file_that_is_sent_again_is_fresh_again(workspace: Workspace) -> None:
    path = sent(workspace, b"cat")
    assert find_unused_uploads(workspace) == [path.parent]
    assert keep_upload(workspace, io.BytesIO(b"cat"), "cat.png").path == path
    assert find_unused_uploads(workspace) == []
