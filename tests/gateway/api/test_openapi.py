"""The OpenAPI document is what validators, generators and testers of others take it for."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from pycomfy.gateway.api.app import make_openapi
from pycomfy.gateway.project import Project
from tests.gateway.api.typed import INTERFACE, Listening
from tests.gateway.image import Image

GENERATOR = "openapi-python-client==0.29.1"
TESTER = "schemathesis==4.32.5"
NEEDED = ("httpx", "attrs", "python-dateutil")
"""What a generated client imports."""

USE_CLIENT = """\
import sys
from typed_client import Client
from typed_client.api.files import get_file_content, upload_file
from typed_client.api.jobs import create_job, get_job, list_jobs, v_2_get_job
from typed_client.models import BodyUploadFile, Inputs, InputsPalette, JobRequest, Problem
from typed_client.types import File
import io

client = Client(base_url=sys.argv[1])
body = BodyUploadFile(file=File(payload=io.BytesIO(b"bytes"), file_name="a.png", mime_type="image/png"))
photo = upload_file.sync(client=client, body=body)
inputs = Inputs(width=128, seed=-1, photo=photo.id, palette=InputsPalette.DAWN)
job = create_job.sync(client=client, body=JobRequest(inputs=inputs), prefer="wait=60")
assert job.status == "succeeded", job
assert job.inputs["seed"] >= 0 and job.inputs["palette"] == "dawn"
[picture, _] = job.outputs.picture
assert get_file_content.sync(id=picture.id, client=client).payload.read() == b"png"
assert get_job.sync(id=job.id, client=client, wait=1).id == job.id
assert [j.id for j in list_jobs.sync(client=client).jobs] == [job.id]
assert v_2_get_job.sync(id=job.id, client=client).status == "succeeded"
wrong = create_job.sync(client=client, body=JobRequest(inputs=Inputs(width=1)))
assert isinstance(wrong, Problem) and wrong.errors[0].pointer == "/inputs/width", wrong
print("done")
"""


def tool(*command: str | Path, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a program of PyPI, in an environment of its own: what it requires is not always what we require."""
    uv = Path(sys.executable).with_name("uv")
    environment = {**os.environ, "PYTHONPATH": str(cwd), "PATH": f"{uv.parent}:{os.environ['PATH']}"}
    arguments = [str(uv), *map(str, command)]
    return subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = tool(
        "tool", "run", "--from", GENERATOR, "openapi-python-client", "--version", cwd=tmp_path_factory.mktemp("t")
    )
    if found.returncode:
        pytest.skip(f"PyPI cannot be asked for {GENERATOR}")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    made = Listening(Image(tmp_path_factory.mktemp("listening")))
    yield made
    assert made.stop() == 0


def document(**interface: Any) -> dict[str, Any]:
    graph = {"1": {"class_type": "Save", "inputs": {}}}
    return make_openapi(Project(graph, None, {**INTERFACE, **interface}, {"name": "typed"}))


def test_the_document_is_valid_for_any_interface() -> None:
    for made in (document(), document(parameters=[]), document(outputs=[]), make_openapi(Project())):
        assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []


def test_the_limits_of_a_seed_are_exact() -> None:
    seed = document()["components"]["schemas"]["Inputs"]["properties"]["seed"]["anyOf"][0]
    assert (seed["minimum"], seed["maximum"]) == (-1, 2**64 - 1)


def test_every_operation_has_one_name_and_says_what_goes_wrong() -> None:
    operations = [(path, o) for path, methods in document()["paths"].items() for o in methods.values()]
    names = [o["operationId"] for _, o in operations]
    assert len(set(names)) == len(names)
    for path, operation in operations:
        if not path.endswith("z"):
            assert {"401", "403", "429", "500", "503"} <= set(operation["responses"]), path


def test_the_document_that_is_served_is_the_one_that_is_made_without_a_gateway(serving: Listening) -> None:
    project = serving.image.root / "project"
    graph = json.loads((project / "prompt.json").read_text())
    assert serving.client.get("/openapi.json").json() == make_openapi(Project(graph, {}, INTERFACE, {"name": "typed"}))


@pytest.mark.usefixtures("online")
def test_a_generated_client_runs_a_job(serving: Listening, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(serving.client.get("/openapi.json").text)
    command = ("openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--fail-on-warning")
    made = tool(
        "tool", "run", "--from", GENERATOR, "--with", "ruff", *command, "--output-path", "typed_client", cwd=tmp_path
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (tmp_path / "use.py").write_text(USE_CLIENT)
    needed = [part for name in NEEDED for part in ("--with", name)]
    used = tool("run", "--no-project", *needed, "python", "use.py", serving.url, cwd=tmp_path)
    assert used.stdout == "done\n", used.stderr


# What JSON Schema cannot say is refused all the same: a graph that is not the image's, a key that was used. And a file
# of a form is bytes, even those of "null".
NOT_CHECKED = "positive_data_acceptance,negative_data_rejection"


@pytest.mark.usefixtures("online")
def test_no_request_gets_an_answer_that_is_not_documented(serving: Listening, tmp_path: Path) -> None:
    """Both faces: no 500, no status, type or body that the document does not have."""
    # One worker: where two threads make syntax trees, CPython 3.11 counts their depth wrong, and Hypothesis fails.
    options = ("--max-examples", "8", "--seed", "1", "--exclude-checks", NOT_CHECKED, "--no-color", "--workers", "1")
    done = tool(
        "tool", "run", "--from", TESTER, "st", "run", f"{serving.url}/openapi.json", *options, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
