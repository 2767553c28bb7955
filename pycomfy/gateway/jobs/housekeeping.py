"""What has to be done now and then: overdue jobs, results that are over, disk space, and node types once known."""

import asyncio
import contextlib
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..assets.model import AssetError
from ..comfyui.client import Unanswered
from ..comfyui.instance import Died
from ..comfyui.workers import find_data
from ..graph.assets import list_assets
from ..server import Refused
from .leftovers import remove_made
from .model import Job
from .store import JobFilter, StoreFull

if TYPE_CHECKING:
    from ..api.state import Gateway

log = logging.getLogger(__name__)

INTERVAL = 1.0
SWEEP_EVERY = 30
KEEP_FREE = 256 << 20
"""Bytes that stay free on the disk of the data folder: below it, the oldest results go."""


async def keep_house(gateway: "Gateway") -> None:
    """Until cancelled. A full disk or a ComfyUI that does not answer is tried again."""
    turn, full = 0, False
    while True:
        try:
            if full or turn % SWEEP_EVERY == 0:
                await sweep(gateway)  # first: on a full disk it makes the room that all else needs
            full = False
            await _learn_node_types(gateway)
            for job in await gateway.store.expire():
                await gateway.dispatcher.tell(job)
        except (StoreFull, AssetError, OSError) as e:
            full = isinstance(e, StoreFull)
            log.error("housekeeping: %s", e)
        except Exception:
            log.exception("housekeeping failed")
        turn += 1
        await asyncio.sleep(INTERVAL)


async def put_right(gateway: "Gateway") -> None:
    """Call once at the start: jobs of the process before wait again, and hold their files."""
    for job in await gateway.store.recover():
        log.warning("a job was running when the gateway ended", extra={"job": job.id, "state": job.state})
    cursor, waiting = None, JobFilter(states=frozenset(("queued", "running", "canceling")))
    while True:
        page = await gateway.store.find(waiting, limit=200, cursor=cursor)
        for job in page.jobs:
            gateway.assets.hold(job.id, list_assets(job.request.graph))
        cursor = page.cursor
        if cursor is None:
            return


async def _learn_node_types(gateway: "Gateway") -> None:
    if gateway.node_types is not None:
        return
    for instance in gateway.instances:
        if instance.ready.is_set():
            with contextlib.suppress(Died, Unanswered, Refused):
                answer = await instance.require_client().node_types()
                if isinstance(answer, dict):
                    gateway.node_types = answer
            return


async def sweep(gateway: "Gateway") -> None:
    """Remove results that are over; where the disk is nearly full, the oldest results with their jobs, too."""
    while jobs := await gateway.store.finished(overdue=True):
        await forget(gateway, jobs)
    await gateway.assets.expire()
    while shutil.disk_usage(gateway.data).free < KEEP_FREE:
        jobs = await gateway.store.finished(overdue=False, limit=10)
        if not jobs:
            return
        log.warning("the disk is nearly full: %d results are removed before their time", len(jobs))
        await forget(gateway, jobs)


async def forget(gateway: "Gateway", jobs: list[Job]) -> None:
    """First the files of a job, then its record: killed in between, the job is forgotten the next time. On a full disk
    the files make the room that the change of a record needs."""
    folders = {instance.name: instance.places.output for instance in gateway.instances}

    def find_folder(worker: str) -> Path:
        # It may be of a ComfyUI that there is no more since the last start.
        return folders.get(worker) or find_data(gateway.data, worker) / "output"

    for job in jobs:
        await asyncio.to_thread(remove_made, job, find_folder)
    for job in jobs:
        await gateway.assets.discard(job.id)
    await gateway.store.remove([job.id for job in jobs])
