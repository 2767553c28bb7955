"""What is counted and measured, in the form of Prometheus. A label never has a name that somebody chose."""

import shutil
import time
from collections.abc import Mapping

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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pycomfy import __version__
from pycomfy.server.roles import KINDS, METRICS, find_rules
from pycomfy.services.operations.counts import count_recorded
from pycomfy.services.workspace import Workspace

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which nobody reads

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OTHER = "other"


class Metrics:
    """One for each server, with a registry of its own."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("pycomfy_http_requests", "Requests", ["method", "route", "status"], registry=registry)
        self._seconds = Histogram(
            "pycomfy_http_request_duration_seconds",
            "Seconds to the end of the answer",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._operations = self._gauge("operations", "Operations that are recorded", "kind", "state")
        self._depth = self._gauge("queue_depth", "Operations that wait for their turn")
        self._workflows = self._gauge("workflows", "Workflows that were built")
        self._versions = self._gauge("versions", "Their versions")
        self._disk_total = self._gauge("disk_total_bytes", "Size of the disk of the data folder")
        self._disk_free = self._gauge("disk_free_bytes", "What is free on it")
        Info("pycomfy_build", "What runs here", registry=registry).info({"version": __version__})

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"pycomfy_{name}", text, labels, registry=self._registry)

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        route = name_route(method, path)
        method = method if method in _METHODS else _OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """Return the text that Prometheus reads."""
        found = count_recorded(self._workspace)
        self._operations.clear()
        for (kind, state), number in found.operations.items():
            self._operations.labels(kind if kind in KINDS else _OTHER, state).inc(number)
        self._depth.set(sum(n for (_, state), n in found.operations.items() if state == "waiting"))
        self._workflows.set(found.workflows)
        self._versions.set(found.versions)
        data = self._workspace.paths.data
        disk = shutil.disk_usage(next(path for path in (data, *data.parents) if path.exists()))
        self._disk_total.set(disk.total)
        self._disk_free.set(disk.free)
        return generate_latest(self._registry)


def name_route(method: str, path: str) -> str:
    """Return the route of a request as a label: without the names in its path."""
    if not path.startswith("/api/") and path != METRICS:
        return "page"
    rules: Mapping[str, str] = {rule.method: rule.path for rule in find_rules(path)}
    return rules.get(method) or next(iter(rules.values()), _OTHER)


class Measured:
    """Counts every request to the app."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            self._metrics.count_request(scope["method"], scope["path"], status, time.monotonic() - began)
