"""What `api` prints: the document that the gateway serves, and programs that run against a real one."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.containers.readiness import ask_ready
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.interface.examples import LANGUAGES, Example, Language, write_call, write_example
from pycomfy.core.interface.model import Interface, OutputNode, Parameter, Target
from pycomfy.errors import BadInput, NotFound
from pycomfy.services.api_description import describe_api, render_document, write_api_example
from pycomfy.services.workspace import Workspace
from tests.support.service_projects import make_files, record
from tests.support.waiting import HANG, wait_until

ROOT = Path(__file__).parents[2]
ODD = 'it\'s $HOME `x` "q" $y \\ \u200b é 中\n\'\'\'"""*/ <%'
GRAPH = {
    "1": {"class_type": "Save", "inputs": {"text": ODD, "seed": 7, "mode": "a", "image": "a.png", "on": True}},
}


def parameter(name: str, kind: Any, **more: Any) -> Parameter:
    return Parameter(name=name, type=kind, targets=(Target(node="1", input=name),), **more)


INTERFACE = Interface(
    parameters=(
        parameter("text", "text", default=ODD),
        parameter("seed", "integer", default=7, minimum=0, maximum=(1 << 64) - 1),
        parameter("mode", "choice", default="a", choices=("a", 'b"\\')),
        parameter("on", "boolean", default=True),
        parameter("image", "image", default="a.png"),
    ),
    outputs=(OutputNode(name="picture", kind="image", node="1"),),
)
EXAMPLE = Example("portrait@3", INTERFACE, "http://127.0.0.1:8000")


def project_files() -> dict[str, bytes]:
    files = make_files("portrait", GRAPH)
    return {**files, "interface.json": INTERFACE.model_dump_json().encode()}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("home")
    paths = Paths(home, home / "cache")
    record(paths, project_files())
    unverified = make_files("unverified", GRAPH)
    record(paths, unverified)
    return Workspace(paths)


@dataclass(frozen=True)
class Served:
    """A gateway with a stand-in for ComfyUI, behind `url`."""

    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("image")
    shutil.copytree(ROOT / "tests" / "gateway" / "stand_in", root / "ComfyUI")
    (root / "project").mkdir()
    for name, data in project_files().items():
        (root / "project" / Path(name).name).write_bytes(data)
    ports = []
    for _ in range(2):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            ports.append(s.getsockname()[1])
    places = {"comfyui": root / "ComfyUI", "python": sys.executable, "project": root / "project", "port": ports[0]}
    places |= {"data": root / "data", "models": root / "models", "temp": root / "tmp"}
    command = [sys.executable, "-B", str(ROOT / "pycomfy" / "gateway"), *(f"--{k}={v}" for k, v in places.items())]
    env = {**os.environ, "PYCOMFY_PORT": str(ports[1]), "PYCOMFY_HOST": "127.0.0.1"}
    started = subprocess.Popen([*command, "serve", "--until-eof"], stdin=subprocess.PIPE, env=env)
    assert started.stdin is not None
    try:
        wait_until(lambda: started.poll() is not None or ask_ready(ports[1]) is None)
        assert started.poll() is None, "it ended"
        yield Served(f"http://127.0.0.1:{ports[1]}")
    finally:
        started.stdin.close()
        assert started.wait(HANG) == 0, "it ends when its standard input does"


def test_the_document_is_the_one_that_the_gateway_serves(workspace: Workspace, served: Served) -> None:
    printed = json.loads(render_document(describe_api(workspace, "portrait")))
    with urllib.request.urlopen(f"{served.url}/openapi.json") as answer:
        assert json.load(answer) == printed
    inputs = printed["components"]["schemas"]["Inputs"]["properties"]
    assert set(inputs) == {p.name for p in INTERFACE.parameters}
    assert printed["openapi"].startswith("3.1")


def test_names_in_the_document_are_good_names_in_programs(workspace: Workspace) -> None:
    document = describe_api(workspace, "portrait")
    assert {"Job", "V2Job", "JobError", "V2JobError"} <= set(document["components"]["schemas"])
    assert not any("__" in name for name in document["components"]["schemas"])
    operations = [o["operationId"] for path in document["paths"].values() for o in path.values() if "operationId" in o]
    assert len(operations) == len(set(operations)) and {"createJob", "v2PostJobs", "v2GetJob"} <= set(operations)
    text = json.dumps(document)
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert reference in document["components"]["schemas"]


def run_example(language: Language, served: Served, folder: Path, workspace: Workspace) -> str:
    """Run what is printed, which ends well."""
    done = start_example(language, served, folder, workspace)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start_example(
    language: Language, served: Served, folder: Path, workspace: Workspace, seed: int = 7
) -> "subprocess.CompletedProcess[str]":
    """Run what is printed, in a folder with the files that it names. `seed` is another value than its own."""
    (folder / "photo.png").write_bytes(b"a picture")
    text = write_api_example(workspace, "portrait", language, served.url)
    text, count = re.subn(r"(seed['\"]?: )7\b", rf"\g<1>{seed}", text)
    assert count == 1 or language == "comfy-sdk"
    if language == "curl":
        command = ["bash", "-euo", "pipefail", "-c", text]
    elif language == "typescript":
        known = subprocess.run(
            ["node", "-p", "process.features.typescript"], capture_output=True, text=True, check=True
        )
        name = "call.mts" if known.stdout.strip() == "strip" else "call.mjs"
        (folder / name).write_text(text if name == "call.mts" else without_types(text))
        command = ["node", name]
    else:
        command = [sys.executable, "-c", text]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANG, check=False)


def without_types(text: str) -> str:
    """Only the types that examples use."""
    text = re.sub(r"type Inputs = \{.*?\n\};", "", text, flags=re.DOTALL)
    text = re.sub(r"\b(path|name): string", r"\1", text).replace("init: RequestInit", "init").replace(": Inputs", "")
    return (
        text.replace("file: Blob", "file")
        .replace("<any[]>", "")
        .replace("entries<any>", "entries")
        .replace("Promise<any>", "Promise")
        .replace("Promise<string>", "Promise")
        .replace("): Promise {", ") {")
    )


PROGRAMS = {"curl": ("curl", "jq"), "typescript": ("node",), "python": (), "comfy-sdk": ()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_runs_with_the_workflows_own_values(
    language: Language, served: Served, workspace: Workspace, tmp_path: Path
) -> None:
    missing = [name for name in PROGRAMS[language] if shutil.which(name) is None]
    if missing or (language == "comfy-sdk" and find_spec("comfy_sdk") is None):
        pytest.skip(f"there is no {' and no '.join(missing or ['comfy-sdk'])} here")
    told = run_example(language, served, tmp_path, workspace)
    if language != "typescript":
        assert (tmp_path / "a.png").read_bytes() == b"png"
    else:
        assert "picture" in told and "a.png" in told
    with urllib.request.urlopen(f"{served.url}/v1/jobs?limit=1") as answer:
        [job] = json.load(answer)["jobs"]
    assert job["status"] == "succeeded"
    with urllib.request.urlopen(f"{served.url}/api/v2/jobs/{job['id']}/workflow") as answer:
        graph = json.load(answer)
    used = graph.get("workflow", graph)["1"]["inputs"]
    assert {name: used[name] for name in ("text", "seed", "mode", "on")} == {
        name: GRAPH["1"]["inputs"][name]  # type: ignore[index]
        for name in ("text", "seed", "mode", "on")
    }
    assert used["image"] != "a.png", "the file that was uploaded"


@pytest.mark.parametrize("names", [("text",), ("image",), ("text", "image", "more")])
def test_a_call_in_one_line_runs_and_uploads_the_files_that_the_workflow_takes(
    names: tuple[str, ...], served: Served, tmp_path: Path
) -> None:
    missing = [name for name in PROGRAMS["curl"] if shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)} here")
    (tmp_path / "photo.png").write_bytes(b"a picture")
    interface = Interface(parameters=tuple(p for p in INTERFACE.parameters if p.name in names))
    call = write_call(Example("portrait@3", interface, served.url), keyed=True)
    assert "\n" not in call
    env = {**os.environ, "PYCOMFY_API_KEY": "any"}
    done = subprocess.run(["sh", "-euc", call], cwd=tmp_path, env=env, capture_output=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["status"] == "succeeded", job
    assert set(job["inputs"]) >= {"image"} & {*names}
    with urllib.request.urlopen(f"{served.url}/api/v2/jobs/{job['id']}/workflow") as answer:
        graph = json.load(answer)
    assert (graph.get("workflow", graph)["1"]["inputs"]["image"] != "a.png") == ("image" in names)


@pytest.mark.parametrize("language", ["curl", "python", "typescript"])
def test_an_example_with_a_wrong_value_prints_what_the_gateway_says_of_it(
    language: Language, served: Served, workspace: Workspace, tmp_path: Path
) -> None:
    if missing := [name for name in PROGRAMS[language] if shutil.which(name) is None]:
        pytest.skip(f"there is no {' and no '.join(missing)} here")
    done = start_example(language, served, tmp_path, workspace, seed=-7)
    assert done.returncode != 0
    assert "/inputs/seed" in done.stdout + done.stderr


def test_the_document_needs_only_what_pycomfy_is_installed_with() -> None:
    code = (
        "import sys; from pycomfy.gateway.api.app import make_app; print(*{m.partition('.')[0] for m in sys.modules})"
    )
    imported = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    known, left = set[str](), ["pycomfy"]
    while left:
        name = canonicalize_name(left.pop())
        if name not in known:
            known.add(name)
            left += [
                r.name
                for r in map(Requirement, metadata.requires(name) or ())
                if r.marker is None or r.marker.evaluate({"extra": ""})
            ]
    packages = metadata.packages_distributions()
    lacking = {m for m in imported.split() if m in packages and known.isdisjoint(map(canonicalize_name, packages[m]))}
    lacking -= {"opentelemetry", "cython_runtime", "_distutils_hack"}  # others may import them, if they are there
    assert lacking == set(), "add them to the dependencies in pyproject.toml"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_in_an_example_acts_on_a_terminal_and_long_values_are_left_out(language: Language) -> None:
    interface = Interface(
        parameters=(
            parameter("odd", "text", default="\x1b[2J\ud800"),
            parameter("long", "text", default="x" * 3000),
            parameter("endless", "number", default=float("inf")),
            *(parameter(f"p{n}", "integer", default=n) for n in range(300)),
        )
    )
    text = write_example(language, Example("a\nb", interface, "http://x"))
    assert "\x1b" not in text and "xxxx" not in text and "inf" not in text.replace("info", "").lower()
    assert len(text) < 20_000 and text.endswith("\n")


def test_a_seed_that_javascript_does_not_have_keeps_the_workflows_value() -> None:
    interface = Interface(parameters=(parameter("seed", "integer", default=(1 << 64) - 1),))
    assert str((1 << 64) - 1) not in write_example("typescript", Example("a", interface, "http://x"))
    assert str((1 << 64) - 1) in write_example("python", Example("a", interface, "http://x"))


def test_what_has_no_interface_or_address_is_refused(workspace: Workspace) -> None:
    with pytest.raises(NotFound):
        describe_api(workspace, "unknown")
    for call in (
        lambda: describe_api(workspace, "unverified"),
        lambda: write_api_example(workspace, "unverified", "curl", "http://x"),
    ):
        with pytest.raises(BadInput, match="it was not verified"):
            call()
    for url in ("", "127.0.0.1:8000", "http://x y", 'http://x"; rm -rf /; "', "http://x/$(id)"):
        with pytest.raises(BadInput, match="is not an address"):
            write_api_example(workspace, "portrait", "curl", url)
