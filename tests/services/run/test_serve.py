"""Serving with a real engine and a small image that speaks HTTP as the gateway does."""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.containers.relay import bind_port
from pycomfy.adapters.io import process
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import BadArgument, BadInput, NotFound, RunFailed
from pycomfy.services.run.serve import Served, ServeOptions, serve
from pycomfy.services.workspace import Workspace
from tests.support.operations import Recorder, listening
from tests.support.service_projects import make_files, node, record_layout
from tests.support.tiny_image import write_layout
from tests.support.waiting import HANG, wait_until

NAME = "pycomfy-serve"
GATEWAY = """
import http.server, json, os, signal, socketserver, sys, threading, time

mode = os.environ.get("MODE", "")
if mode == "dies":
    sys.exit("no, thank you")
if mode == "old":
    sys.exit("gateway: error: unrecognized arguments: --until-eof")
ready_at = time.monotonic() + 0.6

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words):
        pass
    def address_string(self):
        return ""
    def do_GET(self):
        ready = time.monotonic() > ready_at and mode != "never"
        status = 200 if ready or self.path != "/readyz" else 503
        answer = {"reasons": [] if ready else ["models are missing: vae/a\\x1b[31m"]}
        if self.path == "/about":
            files = {"keys": os.environ.get("PYCOMFY_API_KEYS_FILE")}
            answer = {
                "arguments": sys.argv[1:],
                "environment": dict(os.environ),
                "keys": open(files["keys"]).read() if files["keys"] else None,
                "uid": os.getuid(),
                "network": sorted(os.listdir("/sys/class/net")),
                "kept": open("/data/kept").read() if os.path.exists("/data/kept") else None,
                "models": os.path.isdir("/models") and sorted(os.listdir("/models")),
            }
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    if "PYCOMFY_SOCKET" in os.environ:
        address_family = socketserver.socket.AF_UNIX
    def get_request(self):
        request, _ = super().get_request()
        return request, ("", 0)

def wait_for_eof():
    while os.read(0, 100):
        pass
    if mode == "stubborn":
        print("stubborn", file=sys.stderr, flush=True)
        return
    with open("/data/kept", "w") as f:
        f.write("drained")
    print("drained", file=sys.stderr, flush=True)
    os._exit(0)

threading.Thread(target=wait_for_eof, daemon=True).start()
print("listening", file=sys.stderr, flush=True)
path = os.environ.get("PYCOMFY_SOCKET")
if path and os.path.exists(path):
    os.unlink(path)
Server(path or ("0.0.0.0", 8000), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Image:
    engine: Engine
    layout: LayoutImage


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    layout = read_layout(write_layout(tmp_path_factory.mktemp("serve") / "layout", python=GATEWAY))
    yield Image(engine, layout)
    process.run(engine.command("rmi", "--force", layout.config_digest.removeprefix("sha256:")))


@pytest.fixture
def home(image: Image, tmp_path: Path) -> Path:
    """A data folder with that image as pycomfy-serve@1."""
    home = tmp_path / "home"
    record_layout(Paths(home, home / "cache"), make_files(NAME), image.layout)
    return home


def containers(engine: Engine) -> list[str]:
    listed = process.run(engine.command("ps", "--all", "--format", "{{.Image}} {{.Names}}")).stdout.decode()
    return [line for line in listed.splitlines() if NAME in line]


def get(url: str, path: str) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=HANG)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


STARTER = """
import json, os, sys
from pathlib import Path
from pycomfy.adapters.io.paths import Paths
from pycomfy.services.run.serve import ServeOptions, serve
from pycomfy.services.workspace import Workspace

home, options = Path(sys.argv[1]), json.loads(sys.argv[2])
for name in ("state", "keys"):
    if name in options:
        options[name] = Path(options[name])
serve(
    Workspace(Paths(home, home / "cache")),
    "pycomfy-serve",
    ServeOptions(**{"models": None, "port": 0, **options}),
    lambda served: print(served.model_dump_json(), flush=True),
)
print("ended in order", flush=True)
"""


@contextlib.contextmanager
def serving(home: Path, **options: object) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """A process that serves, once it is ready; and what it says of itself. Its temporary files are in `scratch` beside
    `home`."""
    command = [sys.executable, "-c", STARTER, str(home), json.dumps(options, default=str)]
    scratch_of(home).mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(scratch_of(home))}
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3], env=environment
    )
    assert started.stdout is not None
    try:
        yield started, json.loads(started.stdout.readline())
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


def scratch_of(home: Path) -> Path:
    return home.parent / "scratch"


def rest_of(started: "subprocess.Popen[str]") -> str:
    assert started.stdout is not None
    return started.stdout.read()


def test_the_container_has_no_network_and_is_reached_all_the_same(home: Path, image: Image, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    digest = hashlib.sha256(b"key-of-me").hexdigest()
    keys.write_text(f"# mine\nme:key-of-me\nother:sha256:{digest}\nbad\n")
    keys.chmod(0o600)
    with serving(home, keys=keys, environment={"MINE": "1"}) as (started, served):
        about = get(served["url"], "/about")
        assert about["network"] == ["lo"]
        assert about["arguments"] == ["serve", "--until-eof"]
        # What runs in the container may read the file: it learns no key.
        assert about["keys"] == f"# mine\nme:sha256:{digest}\nother:sha256:{digest}\nbad\n"
        assert Path(served["state"]).stat().st_mode & 0o777 == 0o700
        assert about["uid"] != 0
        environment = about["environment"]
        assert environment["MINE"] == "1"
        assert environment["PYCOMFY_VERSION"] == "1"
        assert environment["PYCOMFY_IMAGE_DIGEST"] == image.layout.manifest_digest
        assert environment["PYCOMFY_PUBLIC_URL"] == served["url"]
        assert served["keyed"] is True and served["version"] == 1
        started.send_signal(signal.SIGTERM)
        assert rest_of(started) == "ended in order\n"
        assert started.wait(HANG) == 0
    assert "listening\ndrained\n" in Path(served["log"]).read_text()
    assert containers(image.engine) == []


def test_what_it_keeps_is_there_when_it_starts_again(home: Path, image: Image) -> None:
    with serving(home) as (started, served):
        assert served["state"] == str(home / "served" / f"{NAME}@1")
        started.send_signal(signal.SIGINT)
        assert rest_of(started) == "ended in order\n"
    with serving(home) as (started, served):
        assert get(served["url"], "/about")["kept"] == "drained"
        started.send_signal(signal.SIGHUP)
        assert started.wait(HANG) == 0
    assert containers(image.engine) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_drains_and_nothing_is_left_but_what_it_keeps(home: Path, image: Image, number: signal.Signals) -> None:
    with serving(home) as (started, served):
        sockets = [*scratch_of(home).rglob("gateway.sock")]
        assert len(sockets) == 1 and sockets[0].is_socket()
        started.send_signal(number)
        assert started.wait(HANG) == 0
        assert (Path(served["state"]) / "kept").read_text() == "drained"
        assert containers(image.engine) == [] and [*scratch_of(home).iterdir()] == []
        with pytest.raises(ConnectionRefusedError):
            get(served["url"], "/about")


def test_a_second_ctrl_c_ends_it_at_once(home: Path, image: Image) -> None:
    environment = {"MODE": "stubborn", "PYCOMFY_DRAIN": "86400"}
    with serving(home, environment=environment) as (started, served):
        started.send_signal(signal.SIGINT)
        wait_until(lambda: "stubborn" in Path(served["log"]).read_text())  # the first was heard
        started.send_signal(signal.SIGINT)
        assert started.wait(HANG) == 0
        assert containers(image.engine) == [] and [*scratch_of(home).iterdir()] == []


def test_a_container_ends_when_pycomfy_is_killed_and_only_then_another_gets_its_folder(
    home: Path, image: Image
) -> None:
    with serving(home) as (started, served):
        with pytest.raises(BadInput, match="another server uses this folder"):
            serve(Workspace(Paths(home, home / "cache")), NAME, ServeOptions(port=0, models=None))
        started.kill()
        started.wait()
        folder = os.open(served["state"], os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)  # waits for the container
        os.close(folder)
        assert (Path(served["state"]) / "kept").read_text() == "drained"
        wait_until(lambda: containers(image.engine) == [])
    left = [*scratch_of(home).iterdir()]
    with serving(home) as (started, _):
        assert not any(folder.exists() for folder in left), "what a kill leaves, the next removes"
        started.send_signal(signal.SIGINT)
        assert started.wait(HANG) == 0


@dataclass
class Starter:
    """Serves in this process."""

    home: Path
    options: Mapping[str, Any]
    heard: Recorder

    def __call__(self, on_ready: Callable[[Served], None]) -> None:
        workspace = Workspace(Paths(self.home, self.home / "cache"))
        serve(workspace, NAME, ServeOptions(**{"port": 0, "models": None, **self.options}), on_ready)


@contextlib.contextmanager
def in_this_process(home: Path, engine: Engine, **options: Any) -> Iterator[Starter]:
    with listening() as heard:
        yield Starter(home, options, heard)
    assert containers(engine) == []


def test_a_gateway_that_ends_by_itself_is_told_with_its_last_words(home: Path, image: Image) -> None:
    with in_this_process(home, image.engine, environment={"MODE": "dies"}) as start:
        with pytest.raises(RunFailed, match="ended with status 1") as caught:
            start(lambda served: None)
        assert "no, thank you" in caught.value.details and "serve-pycomfy-serve@1" in caught.value.fix


def test_a_gateway_of_older_images_is_told_apart(home: Path, image: Image) -> None:
    options = {"environment": {"MODE": "old"}}
    with in_this_process(home, image.engine, **options) as start, pytest.raises(RunFailed, match="without an API"):
        start(lambda served: None)


def test_one_that_does_not_end_is_killed_and_that_is_said(
    home: Path, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycomfy.services.run.serve.STOP", 0.2)
    environment = {"MODE": "stubborn", "PYCOMFY_DRAIN": "0.1"}
    with in_this_process(home, image.engine, environment=environment) as start:
        start(lambda served: os.kill(os.getpid(), signal.SIGINT))
        assert any("did not end within" in remark for remark in start.heard.remarks)


def test_why_it_is_not_ready_is_shown(home: Path, image: Image) -> None:
    with in_this_process(home, image.engine, environment={"MODE": "never"}) as start:

        def stop() -> None:
            wait_until(lambda: any("missing" in note for note in start.heard.notes))
            os.kill(os.getpid(), signal.SIGINT)

        stopper = threading.Thread(target=stop)
        stopper.start()
        start(lambda served: pytest.fail("it was never ready"))
        stopper.join()
        assert any("models are missing: vae/a\x1b[31m" in note for note in start.heard.notes)


def test_with_a_network_the_engine_publishes_the_port(home: Path, image: Image) -> None:
    with serving(home, network="bridge") as (started, served):
        about = get(served["url"], "/about")
        assert "PYCOMFY_SOCKET" not in about["environment"]
        assert len(about["network"]) > 1
        started.send_signal(signal.SIGINT)
        assert rest_of(started) == "ended in order\n"


def test_what_cannot_work_is_refused_before_anything_starts(home: Path, tmp_path: Path) -> None:
    workspace = Workspace(Paths(home, home / "cache"), engine_name="none that exists")
    none = tmp_path / "none"
    empty = tmp_path / "empty"
    empty.write_text("\n\n")
    refused: list[tuple[Mapping[str, Any], type[Exception], str]] = [
        ({"environment": {"PYCOMFY_SOCKET": "/x"}}, BadArgument, "PYCOMFY_SOCKET is set by pycomfy"),
        ({"keys": none}, NotFound, "no such file"),
        ({"keys": empty}, BadInput, "has no key"),
        ({"keys": tmp_path}, BadInput, "cannot be read"),
    ]
    for options, kind, why in refused:
        with pytest.raises(kind, match=why):
            serve(workspace, NAME, ServeOptions(**options))
    with pytest.raises(NotFound):
        serve(workspace, "unknown", ServeOptions())
    with bind_port(0) as taken, pytest.raises(BadInput, match="Address already in use"):
        serve(workspace, NAME, ServeOptions(port=taken.getsockname()[1]))


def test_models_that_the_lock_does_not_pin_are_named_before_a_job_fails(home: Path, image: Image) -> None:
    prompt = {"4": node("CheckpointLoaderSimple", ckpt_name="a.ckpt")}
    record_layout(Paths(home, home / "cache"), make_files(NAME, prompt), image.layout)
    with in_this_process(home, image.engine, models="auto") as start:
        start(lambda served: os.kill(os.getpid(), signal.SIGINT))
        [said] = start.heard.remarks
        assert said.startswith("note: models are missing: checkpoints/a.ckpt; or ") and "models status" in said


def test_a_setting_that_the_gateway_does_not_know_is_named_with_the_one_that_may_be_meant(home: Path) -> None:
    workspace = Workspace(Paths(home, home / "cache"), engine_name="none that exists")
    environment = {"PYCOMFY_MAX_QUEUD": "5", "PYCOMFY_MAX_QUEUED": "5", "OTHER": "", "PYCOMFY_VERSION": "1"}
    with listening() as recorder, pytest.raises(NotFound):
        serve(workspace, "unknown", ServeOptions(environment=environment))
    said = "warning: the gateway knows no setting PYCOMFY_MAX_QUEUD; is PYCOMFY_MAX_QUEUED meant?"
    assert recorder.remarks == [said]
