"""The real ComfyUI in a container, reachable from this machine alone."""

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pycomfy.adapters.containers.arguments import ContainerSpec, give_to, plan_run, plan_user
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.io import process

PORT = 8188
CUSTOM_NODES = "/opt/ComfyUI/custom_nodes"
START_LIMIT = 180.0


@dataclass(frozen=True)
class ComfyUI:
    """A running server. `name` is its container's."""

    engine: Engine
    name: str
    client: httpx.Client

    @property
    def url(self) -> str:
        return str(self.client.base_url)

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def post(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        return self.client.post(path, json=body)

    def python(self, code: str) -> str:
        """What a program prints that the image's own Python runs."""
        command = self.engine.command("exec", self.name, "/opt/venv/bin/python", "-B", "-c", code)
        done = process.run(command)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@contextlib.contextmanager
def serving(engine: Engine, image: StartableImage, folder: Path, packs: Mapping[str, Path]) -> Iterator[ComfyUI]:
    """The image's own `serve`, with these node packs beside those it has; removed at the end of the block."""
    user = plan_user(engine, os.getuid(), os.getgid())
    data = folder / "data"
    data.mkdir()
    give_to(user, data)
    name = f"pycomfy-story-{secrets.token_hex(4)}"
    command = plan_run(engine, ContainerSpec(image, ("comfyui",), data, network="bridge"), name, user)
    mounts = [f"--volume={path}:{CUSTOM_NODES}/{pack}:ro" for pack, path in packs.items()]
    at = command.index(image.id)
    command[at:at] = [f"--publish=127.0.0.1::{PORT}", *mounts]
    with (folder / "comfyui.log").open("wb") as log:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        with httpx.Client(timeout=60, trust_env=False) as client:
            client.base_url = httpx.URL(_wait(engine, name, started, folder / "comfyui.log"))
            yield ComfyUI(engine, name, client)
    finally:
        process.run(engine.command("rm", "--force", "--volumes", name))
        started.wait(60)


def _wait(engine: Engine, name: str, started: "subprocess.Popen[bytes]", log: Path) -> str:
    """The address, once it answers there."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        assert started.poll() is None, log.read_text()[-3000:]
        port = process.run(engine.command("port", name, str(PORT))).stdout.decode().strip()
        if port:
            url = f"http://{port.splitlines()[0]}"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/queue", trust_env=False, timeout=5).is_success:
                    return url
        time.sleep(0.3)
    raise AssertionError(f"no answer within {START_LIMIT:.0f} s: {log.read_text()[-3000:]}")
