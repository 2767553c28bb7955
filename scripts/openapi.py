"""Write the documents that the clients of `web/` are generated from: what the studio's server can be asked, and what
the app asks an image's gateway.

usage: .venv/bin/python scripts/openapi.py
"""

import json
from pathlib import Path
from typing import Any

from pycomfy.gateway.api.app import make_openapi
from pycomfy.gateway.project import Project
from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import OwnerAlone
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace

SOURCES = Path(__file__).parents[1] / "web" / "src"
STUDIO = SOURCES / "api" / "openapi.json"
APP = SOURCES / "workflow-app" / "openapi.json"

ASKED = ("/v1/interface", "/v1/jobs", "/v1/jobs/{id}", "/v1/jobs/{id}/cancel", "/v1/files", "/v1/files/{id}")
"""The paths of a gateway that the app asks."""


def render() -> str:
    """Return the studio's document: that of a server of any workspace."""
    workspace = Workspace.open(Path("/nonexistent"))
    return _render(make_app(workspace, OperationRunner(workspace), AccessOptions(OwnerAlone(""))).openapi())


def render_app() -> str:
    """Return the app's document: of a workflow without inputs, as the app is for any."""
    document = make_openapi(Project())
    document["paths"] = {path: document["paths"][path] for path in ASKED}
    schemas, needed = document["components"]["schemas"], set[str]()
    waiting: list[Any] = [document["paths"]]
    while waiting:
        names = _references(waiting.pop()) - needed
        needed |= names
        waiting += [schemas[name] for name in names]
    document["components"]["schemas"] = {name: schemas[name] for name in needed}
    del document["tags"]
    return _render(document)


def _render(document: dict[str, Any]) -> str:
    del document["info"]["version"]  # it says nothing of the routes
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _references(value: Any) -> set[str]:
    """The names of the schemas that a part of a document refers to."""
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(_references, value.values()))


if __name__ == "__main__":
    for path, text in ((STUDIO, render()), (APP, render_app())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
