"""Small jobs through the official SDK, and through ComfyUI's own API: run in an environment that has `comfy-sdk` and
`websockets`.

Arguments: the number of jobs, and the addresses of the gateway, of comfy-api-proxy and of bare ComfyUI. Gateway and
bare ComfyUI take turns job by job, so that they share whatever else the machine does. The proxy comes after them, with
turns of bare ComfyUI as well: where it does not answer for 15 seconds the others would be idle, and ComfyUI collects
garbage in the first job after an idle time. Prints JSON: milliseconds and states by server; `comfyui` is of the turns
with the gateway, `beside_proxy` of those with the proxy.
"""

import json
import os
import sys
import time
import uuid
from typing import Any

import httpx
from comfy_sdk import Comfy  # type: ignore[import-not-found]  # it is in an environment of its own
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as websocket

PATIENCE = 30.0

_number = int(time.time() * 1000) % (1 << 22)


def graph() -> dict[str, Any]:
    """A picture that is in no cache."""
    global _number
    _number += 1
    image = {"width": 64, "height": 64, "batch_size": 1, "color": _number}
    return {
        "1": {"class_type": "EmptyImage", "inputs": image},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def connect(address: str) -> Any:
    os.environ["COMFY_BASE_URL"] = address
    return Comfy(timeout=PATIENCE)


def by_sdk(client: Any) -> str:
    """From the graph to the picture's bytes; the job's state."""
    job = client.submit(client.workflows.from_json(graph()))
    try:
        for _ in job.events():
            pass
        job.wait(PATIENCE)
    except TimeoutError:
        return "never ended"
    for output in job.outputs:
        output.to_bytes()
    return str(job.status)


def by_comfyui(http: httpx.Client, socket: ClientConnection, client: str) -> str:
    """The same with `/prompt`, the WebSocket, `/history` and `/view`, and with the SDK's own library for HTTP."""
    prompt = http.post("/prompt", json={"prompt": graph(), "client_id": client}).json()["prompt_id"]
    for message in socket:
        told = json.loads(message) if isinstance(message, str) else {}
        if told.get("type") == "execution_success" and told["data"]["prompt_id"] == prompt:
            break
    entry: dict[str, Any] = {}
    while prompt not in entry:  # the message comes a moment before the history
        entry = http.get(f"/history/{prompt}").json()
    for image in entry[prompt]["outputs"]["2"]["images"]:
        http.get("/view", params=image).read()
    return "succeeded"


def main() -> None:
    jobs, gateway, proxy, comfyui = int(sys.argv[1]), *sys.argv[2:5]
    found: dict[str, list[tuple[float, str]]] = {}
    clients = {"gateway": connect(gateway), "proxy": connect(proxy)}
    client = uuid.uuid4().hex
    socket_address = f"{comfyui.replace('http', 'ws', 1)}/ws?clientId={client}"
    with httpx.Client(base_url=comfyui, timeout=PATIENCE) as http, websocket(socket_address) as socket:
        for ours, bare in (("gateway", "comfyui"), ("proxy", "beside_proxy")):
            for name in (ours, bare) * jobs:
                began = time.perf_counter()
                state = by_sdk(clients[name]) if name == ours else by_comfyui(http, socket, client)
                found.setdefault(name, []).append(((time.perf_counter() - began) * 1000, state))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
