"""How fast the studio's server answers: 95 of 100 requests take no longer than this, with 1,000 versions.

`python -m benchmarks.bench_studio [VERSIONS]` prints the table; with `--write` it goes into RESULTS.md. Real requests
over a real socket, one after the other. On a machine that does other things, what a request costs of the processors
says more: that is printed, too.
"""

import json
import os
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
from benchmarks.table import Row, machine, put_section, render
from pycomfy.adapters.containers.relay import bind_port
from pycomfy.adapters.database.records import OperationRecord
from pycomfy.adapters.io.paths import Paths
from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import OwnerAlone
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace

TITLE = "The studio's server"
NOTE = (
    "The 95th percentile of 60 requests of each, over a socket, one after the other, from another thread; and what\n"
    "one costs of the processors on the average, with the client and the git processes.\n"
)
GOAL = "under 50 ms"
REQUESTS = 60
OPERATIONS = 500

PAGES = {
    "the page": "/",
    "the session": "/api/session",
    "the workflows": "/api/workflows",
    "one workflow": "/api/workflows/bench",
    "its versions": "/api/workflows/bench/versions",
    "its history": "/api/workflows/bench/history",
    "one version": "/api/workflows/bench/versions/500",
    "two versions compared": "/api/workflows/bench/versions/1/diff?to=1000",
    "its graph": "/api/workflows/bench/graph",
    "its needs": "/api/workflows/bench/needs",
    "its image": "/api/workflows/bench/versions/1000/image",
    "its API": "/api/workflows/bench/versions/1000/example",
    "its runs": "/api/workflows/bench/runs",
    "what a revert would do": "/api/workflows/bench/versions/500/revert",
    "all operations": "/api/operations",
    "a workflow's operations": "/api/operations?workflow=bench",
    "the audit log": "/api/system/log",
    "the metrics": "/metrics",
}
"""What the pages ask for; without what looks at the machine or into the archive when somebody asks it to."""


def rows(count: int = 1000) -> list[Row]:
    """What each page takes, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Paths(Path(folder), Path(folder, "cache")))
        fill(workspace.paths, count)
        _add_operations(workspace)
        with _serving(workspace) as client:
            return [row for what, path in PAGES.items() for row in _measure(client, what, path)]


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


def _measure(client: httpx.Client, what: str, path: str) -> list[Row]:
    client.get(path).raise_for_status()  # what is imported with the first one
    times, before = [], _processor_seconds()
    for _ in range(REQUESTS):
        began = time.monotonic()
        client.get(path).raise_for_status()
        times.append((time.monotonic() - began) * 1000)
    used = (_processor_seconds() - before) / REQUESTS * 1000
    slow = sorted(times)[int(REQUESTS * 0.95) - 1]
    return [Row(what, slow, goal=GOAL, unit="ms"), Row(f"{what}: of the processors", used, unit="ms")]


def _processor_seconds() -> float:
    """Of this process, and of the children that have ended."""
    return sum(os.times()[:4])


def _main() -> None:
    given = [int(word) for word in sys.argv[1:] if word.isdigit()]
    text = render(TITLE, rows(*given), "—", NOTE)
    print(f"{machine()}\n\n{text}")
    if "--write" in sys.argv:
        body = text.partition("\n")[2].strip()
        put_section(TITLE, f"{machine()}\n\n{body}")


if __name__ == "__main__":
    _main()
