"""Requests that a tester of others makes of the OpenAPI document: none gets an answer that is not documented."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from pycomfy.adapters.containers.relay import bind_port
from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import OwnerAlone
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace
from tests.gateway.api.test_openapi import TESTER, tool
from tests.support.service_projects import make_files, record
from tests.support.studio import TOKEN
from tests.support.waiting import wait_until

NOT_CHECKED = "positive_data_acceptance,negative_data_rejection"
"""What JSON Schema cannot say is refused all the same: a workflow that is not there, a folder with something in it."""

LEFT_OUT = "/api/system/doctor"
"""It asks other servers, and takes seconds."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server with two workflows, in which every operation waits."""
    workspace = Workspace.open(tmp_path / "data")
    for name in ("a", "0"):
        record(workspace.paths, make_files(name))
    app = make_app(workspace, OperationRunner(workspace, limit=0), AccessOptions(OwnerAlone(TOKEN)))
    with bind_port(0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_no_request_gets_an_answer_that_is_not_documented(address: str, tmp_path: Path) -> None:
    if tool("tool", "run", "--from", TESTER, "st", "--version", cwd=tmp_path).returncode:
        pytest.skip(f"PyPI cannot be asked for {TESTER}")
    # Its other phases ask 1,200 times, which takes minutes.
    options = ("--phases", "fuzzing", "--max-examples", "5", "--seed", "1", "--no-color", "--workers", "1")
    more = ("--exclude-checks", NOT_CHECKED, "--header", f"Authorization: Bearer {TOKEN}", "--exclude-path", LEFT_OUT)
    document = f"{address}/api/openapi.json"
    done = tool("tool", "run", "--from", TESTER, "st", "run", document, *options, *more, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
