"""What the routes work with: made once at the start, and handed to each request."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Depends
from starlette.requests import HTTPConnection

from ..assets.model import Asset, NewAsset
from ..assets.outside import Outside
from ..assets.store import AssetStore
from ..comfyui.instance import Instance
from ..jobs.dispatch import Dispatcher
from ..jobs.hub import Hub
from ..jobs.live import Live
from ..jobs.model import Job
from ..jobs.store import JobStore
from ..logs import ComfyLines
from ..metrics import Metrics
from ..project import Project
from ..settings import Settings
from ..startup import Startup
from ..webhooks import Webhooks
from .access import Gate


class Fetcher(Protocol):
    """Brings files in from outside: from an address, or out of a data URI. Raises `AssetError`, `ValueError`."""

    async def fetch(self, url: str, new: NewAsset, *, sha256: str | None = None) -> Asset: ...


@dataclass
class Gateway:
    """One gateway. `node_types` is ComfyUI's `/object_info`, None until it answered once."""

    settings: Settings
    project: Project
    store: JobStore
    assets: AssetStore
    hub: Hub
    live: Live
    dispatcher: Dispatcher
    instances: list[Instance]
    data: Path
    fetcher: Fetcher
    startup: Startup
    gate: Gate
    metrics: Metrics
    lines: ComfyLines
    outside: Outside
    """Where webhooks may go to."""

    webhooks: Webhooks | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    node_types: dict[str, Any] | None = None
    draining: bool = False
    streams: dict[str, int] = field(default_factory=dict)
    """Event streams that each caller has open."""

    async def cancel(self, job: Job) -> Job:
        """Ask for the end of a job: the job as it is now."""
        changed = await self.store.cancel(job.id) or job
        self.dispatcher.cancel(job.id)
        if changed.state != job.state:
            await self.dispatcher.tell(changed)
        return changed

    async def wait_until_over(self, job: str, seconds: float) -> None:
        """Return when the job is in a terminal state, or after that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                with self.hub.subscribe(job) as events:
                    found = await self.store.get(job)
                    while found is not None and not found.is_terminal and not events.ended:
                        await events.read()


async def _find_gateway(connection: HTTPConnection) -> Gateway:
    # FastAPI would give a plain function to a thread, for each request.
    gateway: Gateway = connection.app.state.gateway
    return gateway


State = Annotated[Gateway, Depends(_find_gateway)]
