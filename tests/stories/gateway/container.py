"""An image's gateway in a container as pycomfy starts it: hardened, without any network, reached by a unix socket."""

import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from pycomfy.adapters.containers.arguments import (
    LOOPBACK,
    SHARED,
    ContainerSpec,
    Limits,
    give_to,
    plan_run,
    plan_user,
)
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.relay import bind_port, relaying
from pycomfy.adapters.io import process

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
HANG = 240.0
COMFYUI = "line_by_line"
"""What the command line of ComfyUI's process has, and no other."""


class Container:
    """`folder` keeps /data and the socket from one start to the next. `environment` are settings of the gateway,
    `options` are those of its `ContainerSpec`."""

    def __init__(
        self,
        engine: Engine,
        image: StartableImage,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.engine, self.image, self.folder = engine, image, folder
        self.environment = {"PYCOMFY_GRAPHS": "any", **(environment or {})}
        self.options = options
        self.log = folder / "log"
        self.data, self.shared = folder / "data", folder / "shared"
        for part in (self.data, self.shared):
            part.mkdir(parents=True, exist_ok=True)
        self.name = ""
        self._process: subprocess.Popen[bytes] | None = None
        transport = httpx.HTTPTransport(uds=str(self.shared / "s"))
        self.http = httpx.Client(base_url="http://gateway", transport=transport, timeout=HANG)

    def start(self, *, wait: bool = True) -> None:
        self.name = f"pycomfy-story-{uuid.uuid4().hex[:12]}"
        user = plan_user(self.engine, os.getuid(), os.getgid())
        spec = ContainerSpec(
            self.image,
            ("serve",),
            self.data,
            shared=self.shared,
            environment={"PYCOMFY_SOCKET": str(SHARED / "s"), **self.environment},
            **{"limits": Limits(keep_free=0), **self.options},
        )
        give_to(user, self.data)
        give_to(user, self.shared)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                plan_run(self.engine, spec, self.name, user), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self.until(lambda: self.ready() == [])

    def ready(self) -> list[str] | None:
        """Why it is not ready: nothing if it is, None if nobody answers."""
        try:
            reasons: list[str] = self.http.get("/readyz").json()["reasons"]
        except (httpx.TransportError, ValueError, KeyError):
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            return None
        return reasons

    def until(self, condition: Callable[[], object], patience: float = HANG) -> None:
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, self.log.read_text(errors="replace")[-3000:]
            time.sleep(0.05)

    def processes(self) -> list[tuple[int, str]]:
        """Those in the container, by their ids on this machine, with their command lines."""
        done = subprocess.run(
            self.engine.command("top", self.name, "hpid", "args"), capture_output=True, text=True, check=False
        )
        rows = [line.split(None, 1) for line in done.stdout.splitlines()[1:]]
        return [(int(row[0]), row[1]) for row in rows if len(row) == 2]

    def comfyui(self) -> int:
        """The process of ComfyUI."""
        return next(pid for pid, command in self.processes() if COMFYUI in command)

    def gateway(self) -> int:
        """The process of the gateway, which is no child of another Python."""
        return next(pid for pid, command in self.processes() if command.split()[0].endswith("/opt/gateway/bin/python"))

    def read(self, path: str) -> bytes:
        """The bytes of a file in the container."""
        command = self.engine.command("exec", self.name, "cat", path)
        return subprocess.run(command, capture_output=True, check=True).stdout

    def memory(self) -> int:
        """The most bytes that the gateway's process has had in memory."""
        status = Path(f"/proc/{self.gateway()}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) << 10

    def metric(self, name: str) -> float:
        """The value of a metric, by its name with its labels; 0 where there is none."""
        lines = self.http.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(f"{name} ")) for line in lines if line.startswith(f"{name} ")), 0.0)

    def kill_comfyui(self) -> None:
        os.kill(self.comfyui(), signal.SIGKILL)

    def kill(self) -> None:
        """End all of it at once, as a power cut does."""
        subprocess.run(self.engine.command("kill", "--signal=KILL", self.name), capture_output=True, check=False)
        self.wait()

    def wait(self) -> int:
        """The exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(HANG)

    def stop(self) -> int:
        subprocess.run(self.engine.command("kill", "--signal=TERM", self.name), capture_output=True, check=False)
        return self.wait()

    def close(self) -> None:
        self.http.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @contextlib.contextmanager
    def on_port(self) -> Iterator[str]:
        """Its address on the loopback interface, relayed as `run --serve` does."""
        listener = bind_port(0)
        with relaying(listener, self.shared / "s"):
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"

    def submit(self, graph: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        answer = self.http.post("/api/v2/jobs", json={"workflow": graph, **more})
        assert answer.status_code == 201, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/v2/jobs/{job}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def finish(self, job: str) -> dict[str, Any]:
        self.until(lambda: self.job(job)["status"] in TERMINAL)
        return self.job(job)

    def contents(self, job: Mapping[str, Any]) -> dict[str, bytes]:
        """The bytes of each output, by node and name."""
        return {f"{o['node_id']}/{o['name']}": self.http.get(o["url"]).content for o in job["outputs"]}


@contextlib.contextmanager
def serving(
    engine: Engine, image: StartableImage, folder: Path, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[Container]:
    """A container that is ready, and gone afterwards."""
    container = Container(engine, image, folder, environment, **options)
    try:
        container.start()
        yield container
    finally:
        container.close()


@contextlib.contextmanager
def bare_comfyui(engine: Engine, image: StartableImage, folder: Path) -> Iterator[str]:
    """The address of the same image's ComfyUI, without the gateway. It needs a network to be reached."""
    name = f"pycomfy-story-{uuid.uuid4().hex[:12]}"
    with bind_port(0) as listener:
        port = int(listener.getsockname()[1])
    (folder / "bare").mkdir(parents=True)
    user = plan_user(engine, os.getuid(), os.getgid())
    give_to(user, folder / "bare")
    spec = ContainerSpec(image, ("comfyui",), folder / "bare", network="bridge", publish=(port, 8188))
    command = plan_run(engine, spec, name, user)
    log = folder / "bare.log"
    with log.open("wb") as file:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    address = f"http://{LOOPBACK}:{port}"
    try:
        wait_for(f"{address}/queue", started, log)
        yield address
    finally:
        process.run(engine.command("rm", "--force", "--time=0", name))
        started.wait(HANG)


def wait_for(address: str, started: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the address answers."""
    end = time.monotonic() + HANG
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(address).status_code < 500:
                return
        assert started.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-2000:]
        time.sleep(0.1)


def node(class_type: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def host_address(engine: Engine) -> str:
    """The address of this machine in the engine's network for containers. Skips the test where they cannot get at it
    there."""
    if engine.rootless or engine.remote:
        pytest.skip("containers of this engine have no address of this machine")
    network, template = ("podman", "{{(index .Subnets 0).Gateway}}")
    if engine.kind == "docker":
        network, template = ("bridge", "{{(index .IPAM.Config 0).Gateway}}")
    command = engine.command("network", "inspect", network, "--format", template)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def small(color: int, size: int = 64) -> dict[str, Any]:
    """A picture; another colour is not in any cache."""
    return {
        "1": node("EmptyImage", width=size, height=32, batch_size=1, color=color % (1 << 24)),
        "2": node("SaveImage", images=["1", 0], filename_prefix=f"small-{color}"),
    }


def slow(color: int, nodes: int = 200) -> dict[str, Any]:
    """Many nodes of some tenths of a second: an interrupt is seen between two of them."""
    graph = {"0": node("EmptyImage", width=1024, height=1024, batch_size=1, color=color % (1 << 24))}
    for n in range(1, nodes):
        graph[str(n)] = node("ImageBlur", image=[str(n - 1), 0], blur_radius=20, sigma=5.0 + n / 100)
    graph[str(nodes)] = node("PreviewImage", images=[str(nodes - 1), 0])
    return graph


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """Id, name and data of each Server-Sent Event."""
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in found:
                yield found.get("id", ""), found.get("event", ""), json.loads(found["data"])
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")


def run_client(python: Path, script: Path, address: str, arguments: Sequence[str] = ()) -> Any:
    """What a script for another environment prints as JSON, with the server's address in COMFY_BASE_URL."""
    environment = {**os.environ, "COMFY_BASE_URL": address}
    done = subprocess.run(
        [python, script, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
