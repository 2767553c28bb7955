"""Workflows: list, add, draw, and say what they need."""

from typing import Annotated, BinaryIO

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from pycomfy.operation import Operation
from pycomfy.server.file_body import FILE_BODY, receive_file
from pycomfy.server.state import WorkspaceOf
from pycomfy.services.studio.edit import EditRequest, EditResult, NodeValues, edit_values, show_node_values
from pycomfy.services.studio.needs import NeedsResult, list_needs
from pycomfy.services.studio.workflows import (
    GraphResult,
    WorkflowEntry,
    draw,
    find_workflow_entry,
    list_workflows,
)
from pycomfy.services.studio.working_folders import (
    AddedWorkflow,
    add_example,
    add_workflow,
    remove_working_folder,
)
from pycomfy.services.workspace import Workspace

UPLOADS = "/api/workflows"
"""The path to which files are sent."""

router = APIRouter(prefix="/api/workflows", tags=["workflows"])

Name = Annotated[str, Path(max_length=100)]
Version = Annotated[int | None, Query(ge=1)]


@router.get("")
def list_all(workspace: WorkspaceOf) -> list[WorkflowEntry]:
    """Every workflow, the one that changed last first."""
    with Operation().running():
        return list_workflows(workspace)


@router.post(
    "",
    status_code=201,
    openapi_extra=FILE_BODY,
)
async def add(
    request: Request,
    workspace: WorkspaceOf,
    file: Annotated[str, Query(max_length=500, description="The file's name")] = "",
    name: Annotated[str | None, Query(max_length=100)] = None,
) -> AddedWorkflow:
    """Add the workflow in a file: JSON, or a picture, video or other file that ComfyUI made. The body is the file."""
    async with receive_file(request) as body:
        return await run_in_threadpool(_add, workspace, body, file, name)


def _add(workspace: Workspace, body: BinaryIO, file: str, name: str | None) -> AddedWorkflow:
    with Operation().running():
        return add_workflow(workspace, body, file, name)


@router.post("/example", status_code=201)
def example(workspace: WorkspaceOf) -> AddedWorkflow:
    """Add the example that comes with pycomfy."""
    with Operation().running():
        return add_example(workspace)


@router.get("/{name}")
def show(workspace: WorkspaceOf, name: Name) -> WorkflowEntry:
    """One workflow."""
    with Operation().running():
        return find_workflow_entry(workspace, name)


@router.delete("/{name}/folder", status_code=204)
def remove(workspace: WorkspaceOf, name: Name) -> None:
    """Remove a workflow's working folder; its versions stay."""
    with Operation().running():
        remove_working_folder(workspace, name)


@router.get("/{name}/graph")
def graph(workspace: WorkspaceOf, name: Name, version: Version = None) -> GraphResult:
    """The graph, as the editor shows it: of a version, or of what is being worked on."""
    with Operation().running():
        return draw(workspace, name, version)


@router.get("/{name}/values")
def values(
    workspace: WorkspaceOf,
    name: Name,
    node: Annotated[str, Query(max_length=300)],
    graph: Annotated[str, Query(max_length=300, description="The subgraph with the node")] = "",
) -> NodeValues:
    """The values of a node of what is being worked on, and what each can be."""
    with Operation().running():
        return show_node_values(workspace, name, graph, node)


@router.post("/{name}/values")
def edit(workspace: WorkspaceOf, name: Name, request: EditRequest) -> EditResult:
    """Change values in the working folder. The next build makes a version of it."""
    with Operation().running():
        return edit_values(workspace, name, request)


@router.get("/{name}/needs")
def needs(workspace: WorkspaceOf, name: Name, version: Version = None) -> NeedsResult:
    """Node packs, packages and models."""
    with Operation().running():
        return list_needs(workspace, name, version)
