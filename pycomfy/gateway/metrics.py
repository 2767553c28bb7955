"""What is counted and measured, in the form of Prometheus. A label never has an id, nor a text that a client chose."""

import asyncio
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from .comfyui.client import Unanswered
from .comfyui.instance import Died, Instance
from .jobs.model import TERMINAL, Job
from .project import Project
from .server import Refused

if TYPE_CHECKING:
    from .api.state import Gateway

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which nobody reads

MAX_CLASSES = 200
"""Node types with a time of their own; the others are counted together as "other"."""

STATS_LIMIT = 2.0
STATS_AGE = 5.0
"""Seconds for which ComfyUI's own numbers are taken as they were, and that it gets to answer."""

_JOB_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_NODE_SECONDS = (0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)
_HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"))


class Metrics:
    """One for each gateway, with a registry of its own."""

    def __init__(self, project: Project) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._jobs = Counter("pycomfy_jobs", "Jobs that ended, by state", ["state"], registry=registry)
        for state in TERMINAL:
            self._jobs.labels(state)
        self._job_seconds = Histogram(
            "pycomfy_job_duration_seconds",
            "Seconds from the last start of a job to its end",
            ["state"],
            buckets=_JOB_SECONDS,
            registry=registry,
        )
        self._wait_seconds = Histogram(
            "pycomfy_queue_wait_seconds",
            "Seconds from the acceptance of a job to its last start",
            buckets=_JOB_SECONDS,
            registry=registry,
        )
        self._depth = self._gauge("queue_depth", "Jobs that wait")
        self._oldest = self._gauge("queue_oldest_seconds", "Seconds that the oldest of them has waited")
        self._in_progress = self._gauge("jobs_in_progress", "Jobs that run, those that are being canceled included")
        self._node_seconds = Histogram(
            "pycomfy_node_duration_seconds",
            "Seconds of a node, by its type",
            ["class_type"],
            buckets=_NODE_SECONDS,
            registry=registry,
        )
        self._load_seconds = Histogram(
            "pycomfy_model_load_seconds",
            'Seconds of a node that loads a model: its type has "Loader" in its name',
            ["class_type"],
            buckets=_NODE_SECONDS,
            registry=registry,
        )
        self._classes: set[str] = set()
        self._requests = Counter("pycomfy_http_requests", "Requests", ["method", "route", "status"], registry=registry)
        self._request_seconds = Histogram(
            "pycomfy_http_request_duration_seconds",
            "Seconds to the end of the answer; that of an event stream is as long as its job",
            ["method", "route"],
            buckets=_HTTP_SECONDS,
            registry=registry,
        )
        self._webhooks = Counter("pycomfy_webhooks", "Webhooks, by what became of them", ["result"], registry=registry)
        self._streams = self._gauge("event_streams", "Event streams that are open")
        self._ready = self._gauge("comfyui_ready", "Whether a ComfyUI takes jobs", "instance")
        self._restarts = self._gauge("comfyui_restarts_total", "Starts of a ComfyUI after its first", "instance")
        self._left_out = self._gauge("comfyui_log_lines_left_out_total", "Lines of ComfyUI that were too many to keep")
        self._memory_total = self._gauge("vram_total_bytes", "Memory of a GPU", "instance", "device")
        self._memory_free = self._gauge("vram_free_bytes", "Memory of a GPU that is free", "instance", "device")
        self._torch = self._gauge("torch_vram_total_bytes", "Memory of a GPU that PyTorch holds", "instance", "device")
        self._disk_total = self._gauge("disk_total_bytes", "Size of the disk of the data folder")
        self._disk_free = self._gauge("disk_free_bytes", "What is free on it")
        Info("pycomfy_build", "What runs here", registry=registry).info(_describe(project))
        self._stats: dict[str, tuple[float, Any]] = {}

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"pycomfy_{name}", text, labels, registry=self.registry)

    def count_job(self, job: Job) -> None:
        """Call once for each job that ended."""
        self._jobs.labels(job.state).inc()
        if job.started_at is None:
            return
        self._wait_seconds.observe(max(0.0, (job.started_at - job.created_at).total_seconds()))
        if job.completed_at is not None:
            seconds = (job.completed_at - job.started_at).total_seconds()
            self._job_seconds.labels(job.state).observe(max(0.0, seconds))

    def count_nodes(self, seconds: list[tuple[str, float]]) -> None:
        """The type and the time of each node that was done."""
        for kind, time_ in seconds:
            label = self._bounded(kind)
            self._node_seconds.labels(label).observe(time_)
            if "Loader" in kind:
                self._load_seconds.labels(label).observe(time_)

    def _bounded(self, kind: str) -> str:
        if kind not in self._classes:
            if len(self._classes) >= MAX_CLASSES or len(kind) > 200:
                return "other"
            self._classes.add(kind)
        return kind

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def count_webhook(self, result: str) -> None:
        """`delivered`, `retried` or `given_up`."""
        self._webhooks.labels(result).inc()

    async def render(self, gateway: "Gateway") -> bytes:
        """The text that Prometheus reads."""
        counts = await gateway.store.counts()
        self._depth.set(counts.states.get("queued", 0))
        self._oldest.set(counts.oldest_wait)
        self._in_progress.set(counts.states.get("running", 0) + counts.states.get("canceling", 0))
        self._streams.set(sum(gateway.streams.values()))
        self._left_out.set(gateway.lines.dropped)
        usage = shutil.disk_usage(gateway.data)
        self._disk_total.set(usage.total)
        self._disk_free.set(usage.free)
        for instance in gateway.instances:
            self._ready.labels(instance.name).set(instance.ready.is_set())
            self._restarts.labels(instance.name).set(max(0, instance.starts - 1))
        await asyncio.gather(*(self._ask(instance) for instance in gateway.instances))
        return generate_latest(self.registry)

    async def _ask(self, instance: Instance) -> None:
        """Numbers of an instance's GPUs; of one that does not answer there are none."""
        now = time.monotonic()
        since, stats = self._stats.get(instance.name, (-STATS_AGE, None))
        if now - since >= STATS_AGE:
            stats = None
            if instance.ready.is_set():
                try:
                    async with asyncio.timeout(STATS_LIMIT):
                        stats = await instance.require_client().system_stats()
                except (Died, Unanswered, Refused, TimeoutError):
                    pass
            self._stats[instance.name] = (now, stats)
        devices = stats.get("devices") if isinstance(stats, dict) else None
        wanted = (
            [d for d in devices if isinstance(d, dict) and d.get("type") != "cpu"] if isinstance(devices, list) else []
        )
        for number, device in enumerate(wanted[:64]):
            for gauge, name in (
                (self._memory_total, "vram_total"),
                (self._memory_free, "vram_free"),
                (self._torch, "torch_vram_total"),
            ):
                _set(gauge, (instance.name, str(device.get("index", number))), device.get(name))


def _set(gauge: MetricWrapperBase, labels: tuple[str, ...], value: object) -> None:
    if isinstance(value, int | float) and isinstance(gauge, Gauge):
        gauge.labels(*labels).set(value)


def _describe(project: Project) -> dict[str, str]:
    comfyui = project.lock.get("comfyui")
    version = comfyui.get("version") if isinstance(comfyui, dict) else None
    return {
        "name": project.name,
        "version": os.environ.get("PYCOMFY_VERSION", ""),
        "image_digest": os.environ.get("PYCOMFY_IMAGE_DIGEST", ""),
        "comfyui": str(version or ""),
    }
