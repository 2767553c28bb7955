"""Live events of a job: as Server-Sent Events with ids that a client can come back with, and as a WebSocket."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.requests import HTTPConnection

from ...graph.interface import Interface
from ...jobs.hub import Event
from ...jobs.model import Job
from ..access import Authenticated
from ..direct import DirectRoute
from ..problem import ApiProblem
from ..state import Gateway, State
from ..streams import EVENT, counted, follow, run_until_first, sse_response
from ..v2.jobs import find_job
from ..v2.render import base_url
from . import model
from .render import render_job, render_output
from .responses import documented, problem_response

POLICY_VIOLATION = 1008
"""Close code of a WebSocket that is refused."""

Encode = Callable[[int, str, dict[str, Any]], bytes]
STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    **documented(401, 403, 404, 422, 429, 500),
    200: {
        "content": {"text/event-stream": {"schema": EVENT}},
        "description": "`job` (the record, at the start and at the end), `status`, `progress`, `preview`, `output`",
    },
}


def make_router(interface: Interface, models: model.TypedModels) -> APIRouter:
    """The routes of one workflow."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=DirectRoute)

    def events_of(
        gateway: Gateway, connection: HTTPConnection, job: Job, encode: Encode, after: int | None
    ) -> AsyncIterator[bytes]:
        base = base_url(gateway, connection)

        async def record_of(job: Job) -> dict[str, Any]:
            shown = await render_job(gateway, models, interface, connection, job)
            data: dict[str, Any] = shown.model_dump(mode="json", by_alias=True)
            return data

        async def write(event: Event, record: Job | None) -> bytes:
            if event.name == "snapshot":
                return encode(event.id, "job", await record_of(record)) if record is not None else b""
            if event.is_end and (record := await gateway.store.get(job.id)) is not None:
                # Who comes back between the two gets both.
                end = encode(event.id - 1, "status", {"status": record.state, "attempt": record.attempt})
                return end + encode(event.id, "job", await record_of(record))
            if event.name == "output":
                shown = render_output(base, event.data["output"])
                return encode(event.id, "output", shown.model_dump(mode="json"))
            return encode(event.id, event.name, dict(event.data))

        return follow(gateway, job.id, write, after)

    @router.get("/{id}/events", responses=STREAM_RESPONSES, operation_id="streamJob", response_class=StreamingResponse)
    async def get_events(
        id: str,  # noqa: A002
        request: Request,
        gateway: State,
        caller: Authenticated,
        last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    ) -> Response:
        """Server-Sent Events until the end of the job. With `Last-Event-ID`, what came after that event."""
        job = await find_job(gateway, caller, id)
        after = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else None
        return sse_response(gateway, caller, events_of(gateway, request, job, _sse, after))

    @router.websocket("/{id}/ws")
    async def events_socket(
        socket: WebSocket,
        id: str,  # noqa: A002
        gateway: State,
        caller: Authenticated,
        after: Annotated[int | None, Query()] = None,
    ) -> None:
        """The same events, each as the JSON object `{id, event, data}`."""
        try:
            job = await find_job(gateway, caller, id)
            with counted(gateway, caller):
                await socket.accept()
                await _send_all(socket, events_of(gateway, socket, job, _line, after))
        except ApiProblem as e:
            if "websocket.http.response" in socket.scope.get("extensions", {}):
                await socket.send_denial_response(problem_response(e))
            else:
                await socket.close(POLICY_VIOLATION, e.message[:120])
            return
        except WebSocketDisconnect:
            return
        await socket.close()

    return router


async def _send_all(socket: WebSocket, events: AsyncIterator[bytes]) -> None:
    """Until the last event, or until the client is gone, whatever it sends. Raises `WebSocketDisconnect`."""

    async def send() -> None:
        async for lines in events:
            for line in lines.splitlines():
                await socket.send_text(line.decode())

    async def hear() -> None:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
        raise WebSocketDisconnect

    await run_until_first(send(), hear())


def _sse(number: int, name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(data), event=name, id=str(number))


def _line(number: int, name: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"id": number, "event": name, "data": data}).encode() + b"\n"
