"""Put the server together: routes, errors, access, the studio's page."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from pycomfy import __version__
from pycomfy.server.access import SESSION, Access, is_equal
from pycomfy.server.body_limit import BodyLimit
from pycomfy.server.live import Live
from pycomfy.server.problems import RESPONSES, add_handlers
from pycomfy.server.routes import branches, operations, system, versions, workflows
from pycomfy.server.studio_files import add_studio
from pycomfy.services.operations.runner import OperationRunner
from pycomfy.services.studio.working_folders import MAX_UPLOAD
from pycomfy.services.workspace import Workspace


class Token(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str


class Session(BaseModel):
    """Whom one talks to."""

    version: str
    data: str


def make_app(workspace: Workspace, runner: OperationRunner, token: str, cookie: str = "pycomfy") -> FastAPI:
    """Return the server's app. `token` is what whoever uses it must know; a page keeps it in the cookie `cookie`."""
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
    )
    app.state.workspace, app.state.runner, app.state.live = workspace, runner, live
    add_handlers(app)

    @app.post(SESSION, status_code=204, tags=["session"])
    def begin_session(body: Token) -> Response:
        """Change the token, which the page has from its address, for a cookie."""
        if not is_equal(body.token, token):
            raise HTTPException(401, "this is not the token of this server")
        answer = Response(status_code=204)
        answer.set_cookie(cookie, token, httponly=True, samesite="strict", path="/")
        return answer

    @app.get(SESSION, tags=["session"])
    def show_session() -> Session:
        """Whom one talks to."""
        return Session(version=__version__, data=str(workspace.paths.data))

    for router in (
        workflows.router,
        versions.router,
        branches.router,
        operations.router,
        system.router,
        operations.live,
    ):
        app.include_router(router)
    add_studio(app)
    app.add_middleware(BodyLimit, uploads={workflows.UPLOADS: MAX_UPLOAD})
    app.add_middleware(Access, token=token, cookie=cookie)
    return app


def _name_operation(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'root'}_{route.name}"
