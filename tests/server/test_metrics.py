"""What Prometheus is told of the server."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pycomfy.server.metrics import name_route
from pycomfy.server.roles import KINDS
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record
from tests.support.studio import BEARER, studio


def test_operations_requests_versions_and_the_disk_are_counted_and_no_name_is_a_label(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    record(workspace.paths, make_files("secret-project"))
    with studio(workspace) as client:
        assert client.get("/metrics").status_code == 401
        client.headers.update(BEARER)
        client.get("/api/workflows/secret-project")
        client.get("/api/workflows/another-secret")
        client.post("/api/operations", json={"kind": "build", "workflow": "nothing-there"})
        client.get("/api/secret")
        client.get("/secret.php")
        client.request("SECRET", "/api/workflows")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}

    def value(name: str, **labels: str) -> float:
        return sum(s.value for f in families.values() for s in f.samples if s.name == name and s.labels == labels)

    assert value("pycomfy_versions") == value("pycomfy_workflows") == 1
    assert value("pycomfy_operations", kind="build", state="failed") == 1
    assert value("pycomfy_queue_depth") == 0 and value("pycomfy_disk_free_bytes") > 0
    route = "/api/workflows/{name}"
    assert value("pycomfy_http_requests_total", method="GET", route=route, status="200") == 1
    assert value("pycomfy_http_requests_total", method="GET", route=route, status="404") == 1
    assert value("pycomfy_http_request_duration_seconds_count", method="GET", route=route) == 2
    assert not re.search("secret|nothing-there", answer.text, re.IGNORECASE)


def test_a_route_is_named_by_its_pattern() -> None:
    assert name_route("GET", "/api/operations/k/outputs/a/b") == "/api/operations/{key}/outputs/{path:path}"
    assert name_route("GET", "/anything") == "page" and name_route("GET", "/api/x") == "other"
    assert KINDS
