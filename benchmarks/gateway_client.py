"""Small jobs through the official SDK, and through ComfyUI's own API: run in an environment that has `comfy-sdk`.

Arguments: the number of jobs, and the addresses of the gateway, of comfy-api-proxy and of bare ComfyUI. The three take
turns job by job, so that they share whatever else the machine does. Prints JSON: milliseconds and states by server.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from typing import Any

import aiohttp
from comfy_sdk import Comfy  # type: ignore[import-not-found]  # it is in an environment of its own

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


async def by_comfyui(session: aiohttp.ClientSession, socket: Any, address: str, client: str) -> str:
    """The same with `/prompt`, the WebSocket, `/history` and `/view`."""
    async with session.post(f"{address}/prompt", json={"prompt": graph(), "client_id": client}) as answer:
        prompt = (await answer.json())["prompt_id"]
    async for message in socket:
        told = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else {}
        if told.get("type") == "execution_success" and told["data"]["prompt_id"] == prompt:
            break
    entry: dict[str, Any] = {}
    while prompt not in entry:  # the message comes a moment before the history
        async with session.get(f"{address}/history/{prompt}") as answer:
            entry = await answer.json()
    for image in entry[prompt]["outputs"]["2"]["images"]:
        async with session.get(f"{address}/view", params=image) as answer:
            await answer.read()
    return "succeeded"


async def main() -> None:
    jobs, ours, proxy, comfyui = int(sys.argv[1]), *sys.argv[2:5]
    found: dict[str, list[tuple[float, str]]] = {"gateway": [], "proxy": [], "comfyui": []}
    clients = {"gateway": connect(ours), "proxy": connect(proxy)}
    client = uuid.uuid4().hex
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{comfyui}/ws?clientId={client}") as socket:
        for _ in range(jobs):
            for name in found:
                began = time.perf_counter()
                if name == "comfyui":
                    state = await by_comfyui(session, socket, comfyui, client)
                else:
                    state = await asyncio.to_thread(by_sdk, clients[name])
                found[name].append(((time.perf_counter() - began) * 1000, state))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
