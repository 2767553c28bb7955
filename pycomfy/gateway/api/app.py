"""The application: its routes, its errors and its headers."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match, compile_path

from ..project import Project
from ..settings import Settings
from .app_page import router as app_router
from .health import router as health_router
from .invalid import explain_request
from .metrics import router as metrics_router
from .middleware import Access, BodyLimit, Observe, SendFiles, StrictHeaders
from .openapi import document
from .problem import ApiProblem
from .proxy import router as proxy_router
from .v1 import batches, events, files, jobs, workflow
from .v1.model import make_models
from .v1.responses import problem_response
from .v2 import assets as v2_assets
from .v2 import jobs as v2_jobs
from .v2.responses import error_response

log = logging.getLogger(__name__)

_FORMS: Any = {"max_files": 4, "max_fields": 64, "max_part_size": 64 << 10}
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI would look for it with each request; `Observe` and `Metrics` are ours."""


GIVEN = ("Location", "Retry-After", "Preference-Applied", "X-Request-Id", "traceparent", "Content-Disposition", "ETag")
"""Headers that pages of other origins may read, if they may call at all."""


def make_app(project: Project, settings: Settings | None = None) -> FastAPI:
    """The application of a workflow. Before it is served, `app.state.gateway` must be set.

    Raises `BadInterface`, `pydantic.ValidationError` for an interface that is none.
    """
    interface = project.inputs_and_outputs
    models = make_models(interface)
    app = FastAPI(
        title=project.name,
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        form_limits=_FORMS,
        telemetry=_NO_TELEMETRY,
    )
    for router in (
        v2_jobs.router,
        v2_assets.router,
        jobs.make_router(interface, models),
        events.make_router(interface, models),
        batches.make_router(interface, models),
        files.router,
        workflow.router,
        app_router,
        health_router,
        metrics_router,
        proxy_router,
    ):
        # Not as routers in a router: each of their routes would be looked for twice.
        app.router.routes.extend(router.routes)
    app.add_middleware(SendFiles)
    app.add_middleware(BodyLimit, render=render_problem)
    app.add_middleware(Access, render=render_problem)
    if settings is not None and settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=GIVEN,
        )
    app.add_middleware(Observe, render=render_problem)
    app.add_middleware(StrictHeaders)
    _add_errors(app, [parameter.name for parameter in interface.parameters])
    app.openapi = lambda: document(app, project)  # type: ignore[method-assign]
    return app


def make_openapi(project: Project) -> dict[str, Any]:
    """The OpenAPI document of a workflow, without a gateway. Raises as `make_app`."""
    made: dict[str, Any] = make_app(project).openapi()
    return made


def render_problem(request: Request, problem: ApiProblem) -> Response:
    """Each face has its own form of errors."""
    return error_response(problem) if request.url.path.startswith("/api/v2") else problem_response(problem)


def _add_errors(app: FastAPI, inputs: Sequence[str]) -> None:
    @app.exception_handler(ApiProblem)
    async def on_problem(request: Request, error: ApiProblem) -> Response:
        return render_problem(request, error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return render_problem(request, explain_request(error, inputs))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        codes = {404: "not_found", 405: "method_not_allowed", 408: "timeout", 413: "too_large", 429: "rate_limited"}
        codes[507] = "storage_full"
        code = codes.get(error.status_code, "invalid_request" if error.status_code < 500 else "upstream_error")
        message, methods = str(error.detail), ""
        if error.status_code == 405:
            methods = ", ".join(_find_methods(app, request.url.path))
            message = f"{request.method} is not possible here, but {methods}"
        elif error.status_code == 404:
            message = "there is no such route: /docs and /openapi.json have those that there are"
        response = render_problem(request, ApiProblem(error.status_code, code, message))
        response.headers.update(error.headers or {})
        if methods:
            response.headers["Allow"] = methods
        return response

    @app.exception_handler(Exception)
    async def on_failure(request: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error, extra={"path": request.url.path})
        return render_problem(request, ApiProblem(500, "upstream_error", "the gateway failed; its log says why"))


_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def _find_methods(app: FastAPI, path: str) -> list[str]:
    """All methods of a path: each has a route of its own, and Starlette tells those of the first."""
    for template, operations in app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            return sorted(method.upper() for method in operations)

    def has(method: str) -> bool:
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        return any(route.matches(scope)[0] == Match.FULL for route in app.routes)

    return [method for method in _METHODS if has(method)]
