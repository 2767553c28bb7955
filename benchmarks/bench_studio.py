"""How fast the studio's server lists things: 95 of 100 requests take no longer than this, with 1,000 versions.

`python -m benchmarks.bench_studio [VERSIONS]`. Real requests over a real socket, one after the other.
"""

import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import uvicorn

from benchmarks.bench_versions import fill
from benchmarks.table import Row, machine, render
from pycomfy.adapters.containers.relay import bind_port
from pycomfy.adapters.database.records import OperationRecord
from pycomfy.adapters.io.paths import Paths
from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import OwnerAlone
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace

TITLE = "The studio's server"
NOTE = "The 95th percentile of 60 requests of each, over a socket, one after the other, from another thread.\n"
GOAL = "under 50 ms"
REQUESTS = 60
OPERATIONS = 500

LISTS = {
    "the workflows": "/api/workflows",
    "one workflow": "/api/workflows/bench",
    "its versions": "/api/workflows/bench/versions",
    "its history": "/api/workflows/bench/history",
    "all operations": "/api/operations",
    "a workflow's operations": "/api/operations?workflow=bench",
    "the audit log": "/api/system/log",
    "the metrics": "/metrics",
}


def rows(count: int = 1000) -> list[Row]:
    """What each list takes, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Paths(Path(folder), Path(folder, "cache")))
        fill(workspace.paths, count)
        _add_operations(workspace)
        with _serving(workspace) as client:
            return [
                Row(f"{what}, of {count} versions", _percentile(client, path), goal=GOAL, unit="ms")
                for what, path in LISTS.items()
            ]


def _add_operations(workspace: Workspace) -> None:
    at = "2026-01-01T00:00:00.000Z"
    record = OperationRecord("", "build", "bench", {"kind": "build", "workflow": "bench"}, "done", at, at, at, 0)
    with workspace.open_database() as database, database.writing():
        for number in range(OPERATIONS):
            row = replace(record, key=f"20260101T000000-{number:08x}")
            database.insert("operations", {**vars(row), "arguments": json.dumps(row.arguments)})


@contextmanager
def _serving(workspace: Workspace) -> Iterator[httpx.Client]:
    token = secrets.token_urlsafe(32)
    app = make_app(workspace, OperationRunner(workspace), AccessOptions(OwnerAlone(token)))
    with bind_port(0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def _percentile(client: httpx.Client, path: str) -> float:
    times = []
    for _ in range(REQUESTS):
        began = time.monotonic()
        client.get(path).raise_for_status()
        times.append((time.monotonic() - began) * 1000)
    return sorted(times)[int(REQUESTS * 0.95) - 1]


if __name__ == "__main__":
    print(f"{machine()}\n")
    print(render(TITLE, rows(*map(int, sys.argv[1:2])), "—", NOTE))
