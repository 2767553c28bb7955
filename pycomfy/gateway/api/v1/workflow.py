"""What this image runs, its OpenAPI document, and a page to try it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from ..access import Authenticated
from ..direct import DirectRoute
from ..state import State
from ..v2.render import base_url
from .model import InterfaceView, Workflow
from .page import POLICY, render_page
from .render import render_image
from .responses import ERRORS, json_response

MAX_TITLE = 200

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


@router.get("/v1/interface", response_model=InterfaceView, responses=ERRORS, operation_id="getInterface")
async def get_interface(gateway: State, caller: Authenticated) -> Response:
    """What a form is made of: the inputs and outputs, and the titles of the graph's nodes."""
    project = gateway.project
    return json_response(
        InterfaceView(
            name=project.name,
            interface=project.inputs_and_outputs,
            nodes={number: _find_title(node) for number, node in (project.graph or {}).items()},
            image=render_image(gateway),
        )
    )


def _find_title(node: Any) -> str:
    """A node's title, or its type."""
    about = node if isinstance(node, dict) else {}
    meta = about.get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    text = title if isinstance(title, str) and title else str(about.get("class_type", ""))
    return text[:MAX_TITLE].encode("utf-8", "replace").decode()


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> JSONResponse:
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


@router.get("/docs", include_in_schema=False)
async def get_page(request: Request, gateway: State, caller: Authenticated) -> HTMLResponse:
    project = gateway.project
    interface = project.inputs_and_outputs
    page = render_page(project.name, interface, request.app.openapi(), base_url(gateway, request))
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})
