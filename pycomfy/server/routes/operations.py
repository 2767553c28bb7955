"""Operations: start, list, follow and cancel long work; fetch what a run made."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, WebSocket
from fastapi.responses import FileResponse

from pycomfy.errors import NotFound
from pycomfy.server.audit import DID
from pycomfy.server.callers import CallerOf
from pycomfy.server.output_files import send_output
from pycomfy.server.roles import check_cancel, check_start
from pycomfy.server.state import LiveOf, RunnerOf
from pycomfy.services.operations.requests import OperationRequest
from pycomfy.services.operations.results import OperationEntry

router = APIRouter(prefix="/api/operations", tags=["operations"])

Key = Annotated[str, Path(max_length=40)]


@router.get("")
def list_all(runner: RunnerOf, workflow: Annotated[str | None, Query(max_length=100)] = None) -> list[OperationEntry]:
    """Operations, newest first, without their results."""
    return runner.list(workflow)


@router.post("", status_code=201)
def start(
    runner: RunnerOf, caller: CallerOf, connection: Request, request: Annotated[OperationRequest, Body()]
) -> OperationEntry:
    """Start an operation; it waits for its turn if many run."""
    setattr(connection.state, DID, f"{request.kind} {request.workflow}".strip())
    check_start(runner.workspace, request, caller)
    started = runner.start(request, caller.name)
    setattr(connection.state, DID, " ".join(filter(None, (request.kind, request.workflow, started.id))))
    return started


@router.get("/{key}")
def show(runner: RunnerOf, key: Key) -> OperationEntry:
    """An operation, with its result."""
    return runner.find(key)


@router.post("/{key}/cancel")
def cancel(runner: RunnerOf, caller: CallerOf, key: Key) -> OperationEntry:
    """Ask an operation to end. One that is over stays as it is."""
    check_cancel(runner.find(key), caller)
    return runner.cancel(key)


@router.get("/{key}/outputs/{path:path}", response_class=FileResponse)
def output(runner: RunnerOf, key: Key, path: str) -> FileResponse:
    """A file that a run made."""
    folder = runner.folder(key).outputs.resolve()
    file = (folder / path).resolve()
    if not file.is_relative_to(folder) or not file.is_file():
        raise NotFound("no such output", where=path[:200])
    return send_output(file)


live = APIRouter()


@live.websocket("/api/live")
async def follow(socket: WebSocket, live: LiveOf) -> None:
    await live.serve(socket)
