"""Put the server together: routes, errors, access, the studio's page."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from pycomfy import __version__
from pycomfy.adapters.access.audit_log import AuditLog
from pycomfy.server.access import Access
from pycomfy.server.audit import Audit
from pycomfy.server.body_limit import BodyLimit
from pycomfy.server.callers import Callers
from pycomfy.server.hosts import Hosts
from pycomfy.server.live import Live
from pycomfy.server.metrics import Measured, Metrics
from pycomfy.server.problems import RESPONSES, add_handlers
from pycomfy.server.roles import SESSION
from pycomfy.server.routes import branches, operations, runs, session, system, versions, workflows
from pycomfy.server.studio_files import add_studio
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.studio.uploads import MAX_UPLOAD as MAX_INPUT
from pycomfy.services.studio.working_folders import MAX_UPLOAD
from pycomfy.services.workspace import Workspace

MAX_SIGN_IN = 4096
"""Bytes of what somebody may send who is not known."""


@dataclass(frozen=True)
class AccessOptions:
    """`callers` says who asks; a page keeps that in the cookie `cookie`. `hosts` are the names of the server.
    `audit_log` is None where nothing is written down."""

    callers: Callers
    cookie: str = "pycomfy"
    hosts: Hosts = field(default_factory=Hosts)
    audit_log: AuditLog | None = None


def make_app(workspace: Workspace, runner: OperationRunner, options: AccessOptions) -> FastAPI:
    """Return the server's app."""
    live = Live(runner)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with live.watching(workspace.paths.operations):
            await run_in_threadpool(runner.recover)
            yield

    app = FastAPI(
        title="pycomfy",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        generate_unique_id_function=_name_operation,
        responses=RESPONSES,
        redirect_slashes=False,
    )
    audit = Audit(options.audit_log, lambda: workspace.clock().astimezone(UTC), options.callers.address)
    app.state.workspace, app.state.runner, app.state.live = workspace, runner, live
    metrics = Metrics(workspace)
    app.state.metrics = metrics
    app.state.callers, app.state.cookie, app.state.audit = options.callers, options.cookie, audit
    add_handlers(app)
    for module in (session, workflows, versions, branches, runs, operations, system):
        app.include_router(module.router)
    app.include_router(operations.live)
    app.include_router(system.metrics)
    add_studio(app)
    uploads = {workflows.UPLOADS: MAX_UPLOAD, runs.UPLOADS: MAX_INPUT, SESSION: MAX_SIGN_IN}
    app.add_middleware(BodyLimit, uploads=uploads)
    app.add_middleware(Access, callers=options.callers, cookie=options.cookie, hosts=options.hosts, audit=audit)
    app.add_middleware(Measured, metrics=metrics)
    return app


def _name_operation(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'root'}_{route.name}"
