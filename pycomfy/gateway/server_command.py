"""`serve`: the workflow as an API, until SIGTERM."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import uvicorn

from .api.access import Gate
from .api.app import make_app
from .api.state import Gateway
from .api.v1.webhooks import make_webhooks
from .assets.addresses import Trusted
from .assets.fetch import Fetcher, FetchPolicy
from .assets.outside import Outside
from .assets.storage import Storage, make_storage
from .assets.store import AssetStore
from .comfyui.instance import Instance
from .comfyui.workers import Hardware, Worker, lay_out, plan_workers, runs_targets
from .events import Failure
from .gpu import count_gpus
from .graph.branches import Branch, find_branches
from .http_limits import LimitedWebSocket, limit_http
from .installation import prepare
from .jobs.dispatch import Dispatcher
from .jobs.housekeeping import keep_house, put_right
from .jobs.hub import Hub
from .jobs.keeping import AssetKeeper, GraphStager, describe
from .jobs.live import Live
from .jobs.model import Job
from .jobs.sqlite import SqliteStore, StoreSettings
from .kernel import count_cores, keep_memory_private
from .logs import ComfyLines, set_up
from .metrics import Metrics
from .model_links import follow_models
from .places import Places
from .project import read_project
from .settings import BadSettings, Settings, read_secrets, read_settings
from .startup import Startup, read_warm_up

log = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that waits for the interpreter gets it; Python's own 0.005 are as long as a small job.
Threads are few here, and each does little: copy, hash, wait for the disk."""


def run(places: Places, *, until_eof: bool = False) -> int:
    """Exit status 0 after SIGTERM, 1 if the container or its settings do not let it start."""
    keep_memory_private()
    try:
        environment = read_secrets(os.environ)
        settings = read_settings(environment)
        set_up(settings)
        gate = Gate(settings)
        _make_storage(settings, environment)
        read_warm_up(settings.warmup, read_project(places))
        hardware = Hardware(count_gpus(), count_cores())
        workers = plan_workers(settings.workers, places, hardware, os.environ)
        workers = [replace(worker, places=lay_out(worker, places, prepare)) for worker in workers]
    except (BadSettings, Failure, OSError, ValueError) as e:
        print(f"serve: {e}", file=sys.stderr)
        return 1
    follow_models(places)
    # Uploads are spooled where there is space: /tmp is memory.
    spool = places.data / "uploads"
    spool.mkdir(exist_ok=True)
    tempfile.tempdir = str(spool)
    sys.setswitchinterval(SWITCH_INTERVAL)
    return asyncio.run(_serve(Machine(workers, hardware.gpus == 0, environment), gate, until_eof=until_eof))


@dataclass(frozen=True)
class Machine:
    """The ComfyUIs of this container, which are laid out; the first has the folders that all share. `environment` has
    the secrets of files, too."""

    workers: list[Worker]
    cpu: bool
    environment: Mapping[str, str]


async def _serve(machine: Machine, gate: Gate, *, until_eof: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(loop, stop), daemon=True).start()
    async with open_gateway(machine, gate) as gateway:
        server = uvicorn.Server(_plan_server(gateway))
        # What is there now stays: looking through all of it again held jobs up for 50 ms, every few hundred of them.
        gc.collect()
        gc.freeze()
        serving = asyncio.create_task(server._serve())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            return 1
        await _drain(gateway)
        server.should_exit = True
        await serving
    return 0


def _wait_for_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 1 << 16):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is over
        loop.call_soon_threadsafe(stop.set)


def _plan_server(gateway: Gateway) -> uvicorn.Config:
    settings = gateway.settings
    app = make_app(gateway.project, settings)
    app.state.gateway = gateway
    if settings.socket is not None:
        settings.socket.unlink(missing_ok=True)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        uds=str(settings.socket) if settings.socket is not None else None,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        http=limit_http(settings.max_header),
        ws=LimitedWebSocket,
        ws_max_size=1 << 20,
        limit_concurrency=settings.max_connections,
        proxy_headers=False,  # `public_url` says what clients use
        timeout_graceful_shutdown=5,
    )


async def _drain(gateway: Gateway) -> None:
    """Take no more jobs, and let those that run end, as far as there is time; those that are not done wait for the next
    start."""
    limit = gateway.settings.drain
    log.info("stopping: running jobs get %.0f s", limit)
    gateway.draining = gateway.dispatcher.draining = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while gateway.dispatcher.running:
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def open_gateway(machine: Machine, gate: Gate) -> AsyncIterator[Gateway]:
    """A gateway with its ComfyUIs starting and its stores put right."""
    async with assemble(machine, gate) as gateway:
        webhooks = gateway.webhooks = make_webhooks(gateway)
        await put_right(gateway)
        tasks = [
            *(asyncio.create_task(instance.keep_running()) for instance in gateway.instances),
            *(asyncio.create_task(gateway.dispatcher.serve(instance)) for instance in gateway.instances),
            asyncio.create_task(keep_house(gateway)),
            asyncio.create_task(webhooks.serve()),
            asyncio.create_task(gateway.startup.run()),
        ]
        try:
            yield gateway
        finally:
            # Jobs first: each is given back before its ComfyUI goes.
            for task in reversed(tasks):
                task.cancel()
                await asyncio.wait({task})


@contextlib.asynccontextmanager
async def assemble(machine: Machine, gate: Gate) -> AsyncIterator[Gateway]:
    """The parts of a gateway, of which nothing runs yet."""
    settings, places = gate.settings, machine.workers[0].places
    project = read_project(places)
    hub = Hub()
    live = Live(hub)

    lines = ComfyLines(
        settings.log_lines, lambda name: dispatcher.find_job(name), lambda job: dispatcher.find_secrets(job)
    )
    instances = [
        Instance(
            worker.name,
            worker.places,
            cpu=machine.cpu,
            environment=worker.environment,
            hang_limit=settings.hang_limit,
            interrupt_limit=settings.interrupt_limit,
            on_line=lines,
        )
        for worker in machine.workers
    ]
    limits = StoreSettings(
        max_queued=settings.max_queued,
        max_queued_by_owner=settings.max_queued_by_key or None,
        max_queued_bytes=settings.max_queued_bytes,
        max_attempts=settings.max_attempts,
        durable=settings.durable,
        retention=timedelta(seconds=settings.keep_results),
    )
    async with contextlib.AsyncExitStack() as stack:
        store = await SqliteStore.open(places.data / "jobs.db", limits)
        stack.push_async_callback(store.close)
        if store.set_aside is not None:
            log.error("the record of jobs was damaged (%s): it is now %s", store.reason, store.set_aside)
        assets = await stack.enter_async_context(AssetStore.open(places.data / "assets", quota=settings.keep_bytes))
        storage = _make_storage(settings, machine.environment)
        if storage is not None:
            stack.push_async_callback(storage.close)
        trusted = Trusted.parse(settings.fetch_hosts)
        policy = FetchPolicy(settings.max_upload, trusted, allow_http=settings.fetch_http)
        fetcher = Fetcher(assets, policy)

        metrics = Metrics(project)

        async def end(job: Job) -> None:
            assets.release(job.id)
            metrics.count_job(job)
            if gateway.webhooks is not None:
                gateway.webhooks.tell(job)

        def split(graph: Mapping[str, Any]) -> list[Branch]:
            known = gateway.node_types if splits else None  # until they are known, jobs are run whole
            return find_branches(graph, known, share_models=settings.split == "models") if known else []

        splits = settings.split != "off" and len(instances) > 1
        if splits and not runs_targets(places):
            log.warning("PYCOMFY_SPLIT: this ComfyUI cannot run a part of a graph, jobs are run whole")
            splits = False
        dispatcher = Dispatcher(
            store,
            live,
            AssetKeeper(assets, project, places.python, storage),
            GraphStager(assets, places),
            describe=lambda job: describe(project, job, machine.environment),
            split=split,
            on_end=end,
            on_nodes=metrics.count_nodes,
            missing=lambda: startup.locations,
        )
        startup = Startup(settings, project, places, instances, machine.environment, dispatcher.gate)
        outside = Outside(Trusted.parse(settings.webhook_hosts), settings.webhook_http)
        gateway = Gateway(
            settings=settings,
            project=project,
            store=store,
            assets=assets,
            hub=hub,
            live=live,
            dispatcher=dispatcher,
            instances=instances,
            data=places.data,
            fetcher=fetcher,
            startup=startup,
            gate=gate,
            metrics=metrics,
            lines=lines,
            outside=outside,
        )
        yield gateway


def _make_storage(settings: Settings, environment: Mapping[str, str]) -> Storage | None:
    """Raises `BadSettings`."""
    try:
        return make_storage(settings.storage, environment, token=settings.storage_token)
    except ValueError as e:
        raise BadSettings(f"PYCOMFY_STORAGE: {e}") from None
