"""The runs of a workflow, with what they were given and what they saved; and files that are given to them."""

from typing import Annotated, BinaryIO

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from pycomfy.operation import Operation
from pycomfy.server.file_body import FILE_BODY, receive_file
from pycomfy.server.output_files import send_output
from pycomfy.server.state import WorkspaceOf
from pycomfy.services.run.history import RunEntry
from pycomfy.services.studio.recorded_runs import find_saved_file, list_recorded_runs
from pycomfy.services.studio.uploads import UploadedFile, keep_upload
from pycomfy.services.workspace import Workspace

UPLOADS = "/api/uploads"
"""The path to which files for inputs are sent."""

router = APIRouter(prefix="/api", tags=["runs"])

Name = Annotated[str, Path(max_length=100)]


@router.get("/workflows/{name}/runs")
def list_all(workspace: WorkspaceOf, name: Name) -> list[RunEntry]:
    """The newest runs, on the command line as well; newest first."""
    with Operation().running():
        return list_recorded_runs(workspace, name)


@router.get("/workflows/{name}/runs/{run}/outputs/{at}", response_class=FileResponse)
def output(
    workspace: WorkspaceOf,
    name: Name,
    run: Annotated[int, Path(ge=1, lt=10**9)],
    at: Annotated[int, Path(ge=0, lt=10**6)],
) -> FileResponse:
    """A file that a run saved, as long as it is there with the same bytes."""
    with Operation().running():
        return send_output(find_saved_file(workspace, name, run, at))


@router.post(
    "/uploads",
    status_code=201,
    openapi_extra=FILE_BODY,
)
async def upload(
    request: Request,
    workspace: WorkspaceOf,
    file: Annotated[str, Query(max_length=500, description="The file's name")] = "",
) -> UploadedFile:
    """Keep a file for an input of a run. The body is the file."""
    async with receive_file(request) as body:
        return await run_in_threadpool(_keep, workspace, body, file)


def _keep(workspace: Workspace, body: BinaryIO, file: str) -> UploadedFile:
    with Operation().running():
        return keep_upload(workspace, body, file)
