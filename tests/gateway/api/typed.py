"""A gateway with a typed workflow, before the stand-in for ComfyUI."""

import json
import socket
from typing import Any

import httpx

from tests.gateway.image import Image
from tests.gateway.serving import Serving
from tests.support.waiting import HANG, wait_until


def parameter(name: str, kind: str, default: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "targets": [{"node": "1", "input": name}], "default": default, **more}


INTERFACE: dict[str, Any] = {
    "version": 1,
    "parameters": [
        parameter("width", "integer", 512, minimum=64, maximum=8192, step=8),
        parameter("strength", "number", 0.5, minimum=0, maximum=1),
        parameter("seed", "integer", 7, minimum=0, maximum=2**64 - 1),
        parameter("text", "text", "a dog", multiline=True),
        parameter("palette", "choice", "dusk", choices=["dusk", "dawn"]),
        parameter("photo", "image", "example.png"),
        parameter("x", "json", None),
    ],
    "outputs": [{"name": "picture", "kind": "image", "node": "1", "title": "Save"}],
}


def prepare(image: Image, kind: str = "Save") -> None:
    """Give the image the workflow: one node of this kind, which says what the stand-in does."""
    inputs = {p["name"]: p["default"] for p in INTERFACE["parameters"] if p["name"] != "x"}
    project = image.root / "project"
    (project / "prompt.json").write_text(json.dumps({"1": {"class_type": kind, "inputs": {**inputs, "x": 1}}}))
    (project / "interface.json").write_text(json.dumps(INTERFACE))
    (project / "pycomfy.lock").write_text('{"name": "typed"}')


def serve(image: Image, kind: str = "Save", **settings: str) -> Serving:
    prepare(image, kind)
    settings.setdefault("PYCOMFY_GRAPHS", "fixed")
    return Serving(image, wait=True, **settings)


class Listening(Serving):
    """A gateway with the typed workflow that listens at a port, for clients that know no sockets."""

    def __init__(self, image: Image, kind: str = "Save") -> None:
        prepare(image, kind)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{s.getsockname()[1]}"
        super().__init__(image)

    def start(self, *, wait: bool = True) -> None:
        port = self.url.rpartition(":")[2]
        environment = {"PYCOMFY_SOCKET": "", "PYCOMFY_HOST": "127.0.0.1", "PYCOMFY_PORT": port}
        self.process = self.image.start("serve", environment=environment)
        self.client = httpx.Client(base_url=self.url, timeout=HANG)
        if wait:
            wait_until(self.is_ready)
