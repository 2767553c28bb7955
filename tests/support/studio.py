"""A studio's server in the test's own process, and operations that go on until a test lets them end."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastapi.testclient import TestClient

from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import OwnerAlone
from pycomfy.services.operations.requests import Request
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace
from tests.support.http_server import RequestHandler, serve_http

TOKEN = "the-token-of-this-start"
COOKIE = "pycomfy_8787"
ORIGIN = "http://127.0.0.1:8787"
WORKFLOW = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}}


class Inspect(Request):
    """`pycomfy inspect URL`: a real command that takes as long as the server of the URL."""

    kind: Literal["inspect"] = "inspect"
    url: str

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["inspect", self.url, "--json"]


@dataclass
class Gate:
    """A server whose answers wait until it is `opened`; `asked` says that somebody waits."""

    opened: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def request(self, path: str = "workflow.json") -> Inspect:
        return Inspect(workflow="any", url=f"{self.url}/{path}")


@contextlib.contextmanager
def gate() -> Iterator[Gate]:
    found = Gate()

    class Handler(RequestHandler):
        def get(self) -> None:
            found.asked.set()
            found.opened.wait()
            with contextlib.suppress(ConnectionError):
                self.answer(200, json.dumps(WORKFLOW).encode()) if "workflow" in self.path else self.answer(404)

    with serve_http(Handler) as url:
        found.url = url
        try:
            yield found
        finally:
            found.opened.set()


@contextlib.contextmanager
def studio(
    workspace: Workspace, runner: OperationRunner | None = None, access: AccessOptions | None = None, **options: Any
) -> Iterator[TestClient]:
    """A client of a new server, without the token."""
    app = make_app(workspace, runner or OperationRunner(workspace), access or AccessOptions(OwnerAlone(TOKEN), COOKIE))
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, **options) as client:
        yield client


BEARER = {"authorization": f"Bearer {TOKEN}"}
