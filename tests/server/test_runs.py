"""Runs over HTTP: what they were given, what they saved, and the files that are given to them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pycomfy.adapters.database.entries import Run
from pycomfy.core.versions.reference import parse_reference
from pycomfy.services.run.history import Given, record_run
from pycomfy.services.studio.uploads import is_upload
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.workspace import Workspace
from tests.support.moments import NOW
from tests.support.service_projects import make_files, make_image, record
from tests.support.studio import BEARER, studio

RUNS = "/api/workflows/hello/runs"
PNG = b"\x89PNG\r\n\x1a\n the rest"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """hello@1, with a run that saved a picture and a page."""
    workspace = Workspace.open(tmp_path / "home")
    record(workspace.paths, make_files("hello"), "first", make_image("root"))
    rows = []
    for name, data in (("sky.png", PNG), ("page.html", b"<script>alert(1)</script>")):
        (tmp_path / name).write_bytes(data)
        rows.append({"path": str(tmp_path / name), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    image = find_image(workspace, parse_reference("hello"), "linux/amd64")
    run = Run(started_at=NOW, engine="podman", gpus=None, device="cpu", seconds=2.0, outputs=tuple(rows), error=None)
    record_run(workspace, image, run, Given({"seed": 7}, {"image": str(tmp_path / "sky.png")}))
    with studio(workspace, headers=BEARER) as client:
        yield client


def test_a_run_is_listed_with_what_it_was_given_and_its_picture_is_shown(client: TestClient) -> None:
    (run,) = client.get(RUNS).json()
    assert (run["version"], run["inputs"]) == (1, {"seed": 7}) and run["files"]["image"].endswith("sky.png")
    shown = client.get(f"{RUNS}/{run['run']}/outputs/0")
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    page = client.get(f"{RUNS}/{run['run']}/outputs/1")
    assert page.headers["content-disposition"].startswith("attachment") and "sandbox" in str(page.headers)
    assert client.get("/api/workflows/nobody/runs").json() == []


def test_what_is_in_the_place_of_an_output_is_not_sent(client: TestClient, tmp_path: Path) -> None:
    (run,) = client.get(RUNS).json()
    (tmp_path / "sky.png").write_bytes(PNG[::-1])  # of the same size
    assert client.get(f"{RUNS}/{run['run']}/outputs/0").status_code == 404
    (tmp_path / "sky.png").unlink()
    assert client.get(f"{RUNS}/{run['run']}/outputs/0").status_code == 404
    assert client.get(f"{RUNS}/{run['run']}/outputs/9").status_code == 404
    assert client.get(f"{RUNS}/999/outputs/0").status_code == 404


@pytest.mark.parametrize(
    "name", ["cat.png", "../../../etc/passwd", "..", "", "a\x00b.png", "x" * 400 + ".PNG", "-o.sh;rm"]
)
def test_a_file_is_kept_in_its_own_folder_whatever_it_is_called(client: TestClient, tmp_path: Path, name: str) -> None:
    made = client.post("/api/uploads", params={"file": name}, content=PNG)
    assert made.status_code == 201, made.text
    path = Path(made.json()["path"])
    assert path.read_bytes() == PNG and path.is_relative_to(tmp_path / "home/uploads") and ".." not in path.parts
    assert client.post("/api/uploads", params={"file": name}, content=PNG).json() == made.json()


def test_only_what_was_sent_counts_as_sent(client: TestClient, tmp_path: Path) -> None:
    """Who is not the owner gives no other files to a run."""
    workspace = Workspace.open(tmp_path / "home")
    path = Path(client.post("/api/uploads?file=cat.png", content=PNG).json()["path"])
    assert is_upload(workspace, str(path))
    (path.parent / "link.png").symlink_to("/etc/passwd")
    for other in ("/etc/passwd", path.parent, path.parent / "link.png", path.parent / "../x/cat.png", "cat.png", 7):
        assert not is_upload(workspace, str(other) if isinstance(other, Path) else other)


def test_an_empty_file_is_refused(client: TestClient) -> None:
    assert client.post("/api/uploads?file=x.png", content=b"").status_code == 422
