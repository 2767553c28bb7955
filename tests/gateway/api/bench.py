"""The real application over real stores, without a ComfyUI: jobs that are accepted wait."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import uvicorn

from pycomfy.gateway.api.access import Gate
from pycomfy.gateway.api.app import make_app
from pycomfy.gateway.api.state import Gateway
from pycomfy.gateway.api.v1.webhooks import make_webhooks
from pycomfy.gateway.comfyui.workers import Worker
from pycomfy.gateway.places import Places
from pycomfy.gateway.server_command import Machine, _plan_server, assemble
from pycomfy.gateway.settings import read_settings

GRAPH = {"1": {"class_type": "Save", "inputs": {"text": "a"}}}
KEYS = {"PYCOMFY_API_KEYS": "ann:key-of-ann,bob:key-of-bob"}
ANN = {"Authorization": "Bearer key-of-ann"}
BOB = {"Authorization": "Bearer key-of-bob"}


@dataclass
class Bench:
    gateway: Gateway
    client: httpx.AsyncClient
    """By calls of the application."""

    folder: Path

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Path]:
        """The server as it is started in the image, at a unix socket."""
        path = self.folder / "s"
        settings = self.gateway.settings.model_copy(update={"socket": path})
        server = uvicorn.Server(_plan_server(_with(self.gateway, settings=settings)))
        task = asyncio.create_task(server._serve())
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield path
        finally:
            server.should_exit = True
            await task

    @contextlib.asynccontextmanager
    async def web(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client of that server, over its socket."""
        async with (
            self.listening() as path,
            aiohttp.ClientSession("http://gateway", connector=aiohttp.UnixConnector(str(path))) as session,
        ):
            yield session

    async def submit(self, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.post("/api/v2/jobs", json={"workflow": GRAPH}, headers=headers)


def _with(gateway: Gateway, **changed: Any) -> Gateway:
    for name, value in changed.items():
        setattr(gateway, name, value)
    return gateway


@contextlib.asynccontextmanager
async def open_bench(folder: Path, port: int = 8188, /, **variables: str) -> AsyncIterator[Bench]:
    gate = Gate(read_settings({"PYCOMFY_GRAPHS": "any", **variables}))
    (folder / "project").mkdir(exist_ok=True)
    (folder / "project" / "prompt.json").write_text(json.dumps(GRAPH))
    places = Places(data=folder, project=folder / "project", temp=folder / "tmp", port=port)
    async with assemble(Machine([Worker("0", places, {})], cpu=True, environment={}), gate) as gateway:
        gateway.webhooks = make_webhooks(gateway)
        app = make_app(gateway.project, gate.settings)
        app.state.gateway = gateway
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Bench(gateway, client, folder)


def on_bench(folder: Path, use: Callable[[Bench], Awaitable[None]], **variables: str) -> None:
    """Run `use` with a gateway of these settings."""

    async def run() -> None:
        async with open_bench(folder, **variables) as bench:
            await use(bench)

    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(run())
