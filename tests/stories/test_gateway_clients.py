"""Clients in other languages before a real gateway: the official SDK for TypeScript, a client that a generator made of
the image's document, and the programs that `pycomfy api` prints."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stories.conftest import ROOT, Demo, red_png
from tests.stories.gateway.container import Container
from tests.support.waiting import HANG

pytestmark = pytest.mark.story

SOURCES = Path(__file__).with_name("typescript")
PRINTED = "printed.mts"
PYCOMFY = str(ROOT / ".venv/bin/pycomfy")


@pytest.fixture(scope="module")
def address(gateway: Container) -> Iterator[str]:
    with gateway.on_port() as address:
        yield address


@dataclass(frozen=True)
class Printed:
    """What `pycomfy api` prints for the version whose image is served at `address`."""

    demo: Demo
    name: str
    address: str

    def read(self, language: str) -> str:
        command = [PYCOMFY, "api", self.name, "--lang", language, "--url", self.address]
        return run(command, env=self.demo.environment)


@pytest.fixture(scope="module")
def printed(demo: Demo, made: Mapping[str, Any], address: str) -> Printed:
    return Printed(demo, made["build"]["name"], address)


@pytest.fixture(scope="module")
def typescript(printed: Printed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs, compiled with --strict against the packages of the lock. Skips where they cannot be
    had."""
    folder = tmp_path_factory.mktemp("typescript") / "programs"
    shutil.copytree(SOURCES, folder)
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("there is no Node here")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=HANG)
    if done.returncode != 0:
        assert "EINTEGRITY" not in done.stderr, done.stderr
        pytest.skip(f"the packages cannot be installed: {done.stderr[-300:]}")
    (folder / "openapi.json").write_text(printed.read("openapi"))
    (folder / PRINTED).write_text(printed.read("typescript"))
    programs = folder / "node_modules/.bin"
    run([programs / "openapi-typescript", "openapi.json", "--output", "schema.d.ts"], cwd=folder)
    run([programs / "tsc"], cwd=folder)
    return folder


def run(command: Sequence[str | Path], **more: Any) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=HANG, **more
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def run_node(folder: Path, program: str, address: str, *arguments: str) -> Any:
    environment = {**os.environ, "COMFY_BASE_URL": address}
    return json.loads(run(["node", f"built/{program}.js", *arguments], cwd=folder, env=environment))


def test_the_official_sdk_for_typescript_goes_the_whole_way(typescript: Path, address: str) -> None:
    (typescript / "red.png").write_bytes(red_png(24, 16))
    assert run_node(typescript, "sdk_path", address, "red.png") == {
        "uploaded": [True, False],
        "queued": "queued",
        "statuses": ["queued", "running", "succeeded"],
        "outputsTold": 2,
        "lastProgress": 1,
        "size": [24, 16],
        "sizeIsTrue": True,
        "text": "some text",
        "workflow": "api",
        "resumed": "succeeded",
        "canceled": ["canceled", "canceled"],
        "refused": ["1"],
        "failed": True,
    }


def test_a_client_that_a_generator_made_runs_a_job_with_the_workflows_own_types(typescript: Path, address: str) -> None:
    seen = run_node(typescript, "generated", address)
    assert (seen["accepted"], seen["status"], seen["outputs"]) == (200, "succeeded", 1)
    assert seen["inputs"]["title"] == "Generated"
    assert seen["refused"] == [422, "invalid_request"]


@pytest.mark.parametrize("language", ["curl", "python", "comfy-sdk"])
def test_what_api_prints_runs_a_job_and_saves_its_picture(
    language: str, printed: Printed, sdk_programs: Path, tmp_path: Path
) -> None:
    if language == "curl" and (shutil.which("curl") is None or shutil.which("jq") is None):
        pytest.skip("there is no curl with jq here")
    runner: dict[str, list[str | Path]] = {
        "curl": ["bash", "-euo", "pipefail", "-c"],
        "python": [sys.executable, "-c"],
        "comfy-sdk": [sdk_programs / "python", "-c"],
    }
    run([*runner[language], printed.read(language)], cwd=tmp_path)
    check_picture(printed.address, tmp_path)


def test_the_printed_typescript_names_the_picture(printed: Printed, typescript: Path) -> None:
    told = run(["node", "built/printed.mjs"], cwd=typescript)
    assert newest_output(printed.address)["url"] in told


def newest_output(address: str) -> dict[str, Any]:
    """The only output of the newest job, which succeeded."""
    [job] = httpx.get(f"{address}/v1/jobs", params={"limit": 1}).json()["jobs"]
    assert job["status"] == "succeeded", job["error"]
    [output] = [file for files in job["outputs"].values() for file in files]
    found: dict[str, Any] = output
    return found


def check_picture(address: str, folder: Path) -> None:
    output = newest_output(address)
    saved = folder / Path(output["name"]).name
    assert saved.read_bytes() == httpx.get(output["url"]).content
    assert saved.read_bytes().startswith(b"\x89PNG")
