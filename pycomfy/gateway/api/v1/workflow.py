"""What this image runs, its OpenAPI document, and a page to try it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from ...graph.interface import Interface
from ..access import Authenticated
from ..direct import DirectRoute
from ..state import State
from ..v2.render import base_url
from .model import Workflow
from .page import POLICY, render_page
from .responses import ERRORS, json_response

router = APIRouter(tags=["workflow"], route_class=DirectRoute)


@router.get("/v1/workflow", response_model=Workflow, responses=ERRORS, operation_id="getWorkflow")
async def get_workflow(gateway: State, caller: Authenticated) -> Response:
    """The graph, the workflow, the interface and the lock of this image."""
    project = gateway.project
    return json_response(
        Workflow(
            name=project.name,
            graph=project.graph,
            workflow=project.workflow,
            interface=project.interface,
            lock=project.lock,
        )
    )


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> JSONResponse:
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


@router.get("/", include_in_schema=False)
async def get_root(caller: Authenticated) -> RedirectResponse:
    """What a person calls who opens the address that the server prints."""
    return RedirectResponse("docs", 307)


@router.get("/docs", include_in_schema=False)
async def get_page(request: Request, gateway: State, caller: Authenticated) -> HTMLResponse:
    project = gateway.project
    interface = Interface.model_validate(project.interface or {})
    page = render_page(project.name, interface, request.app.openapi(), base_url(gateway, request))
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})
