"""The document that the studio's client is generated from."""

import importlib.util
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from pycomfy.server.app import AccessOptions, make_app
from pycomfy.server.callers import OwnerAlone
from pycomfy.server.problems import STATUSES
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.workspace import Workspace

ROOT = Path(__file__).parents[2]


def test_the_documents_of_the_clients_are_those_of_the_servers() -> None:
    spec = importlib.util.spec_from_file_location("openapi", ROOT / "scripts" / "openapi.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.STUDIO.read_text() == script.render(), "run scripts/openapi.py"
    assert script.APP.read_text() == script.render_app(), "run scripts/openapi.py"


def test_the_document_is_valid(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    OpenAPIV31SpecValidator(
        make_app(workspace, OperationRunner(workspace), AccessOptions(OwnerAlone("t"))).openapi()
    ).validate()


def test_every_status_of_an_error_is_documented_for_every_request(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    document = make_app(workspace, OperationRunner(workspace), AccessOptions(OwnerAlone("t"))).openapi()
    documented = [one["responses"].keys() for path in document["paths"].values() for one in path.values()]
    for status in STATUSES:
        assert all(str(status) in one or f"{status // 100}XX" in one for one in documented), status
