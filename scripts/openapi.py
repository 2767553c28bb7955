"""Write web/src/api/openapi.json: what the studio's server can be asked, of which its client is generated.

usage: .venv/bin/python scripts/openapi.py
"""

import json
from pathlib import Path

from pycomfy.server.app import make_app
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace

OUT = Path(__file__).parents[1] / "web" / "src" / "api" / "openapi.json"


def render() -> str:
    """Return the document: that of a server of any workspace."""
    workspace = Workspace.open(Path("/nonexistent"))
    document = make_app(workspace, OperationRunner(workspace), "").openapi()
    del document["info"]["version"]  # it says nothing of the routes
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(render())
