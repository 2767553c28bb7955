"""The event stream of the contract: whole snapshots without ids."""

import json
from typing import Any

from fastapi.sse import format_sse_event
from starlette.requests import Request

from ...jobs.hub import Event
from ...jobs.model import TERMINAL, Job
from ..access import Caller
from ..state import Gateway
from ..streams import EventStream, follow, sse_response
from .render import base_url, render_output

READS_BY_LINES = "comfy-sdk-python/"
"""How the official client for Python names itself."""


def stream_events(gateway: Gateway, request: Request, caller: Caller, job: Job) -> EventStream:
    """Raises `ApiProblem` if the caller has too many streams."""
    base = base_url(gateway, request)
    reads_by_lines = request.headers.get("user-agent", "").startswith(READS_BY_LINES)

    async def write(event: Event, record: Job | None) -> bytes:
        is_end = event.is_end
        if event.name == "snapshot":
            state = record.state if record is not None else "expired"
            is_end = state in TERMINAL
            position = await gateway.store.position(job.id) if state == "queued" else None
            frame = _frame("status", {"status": state, "queue_position": position})
        else:
            frame = event.encoded(base, lambda event: _encode(gateway, base, job.id, event))
        return _end_with_stream(frame) if is_end and reads_by_lines else frame

    return sse_response(gateway, caller, follow(gateway, job.id, write))


def _end_with_stream(frame: bytes) -> bytes:
    """The last event, for a client that would close its connection as soon as it has it, and make another for its next
    request. A line may end with a lone CR; this client waits for what comes after one, and so for the end of the
    answer, with which the connection is free again. Not for all: some readers know no line ends but LF."""
    return frame.removesuffix(b"\n") + b"\r"


def _encode(gateway: Gateway, base: str, job: str, event: Event) -> bytes:
    match event.name:
        case "status":
            return _frame("status", {"status": event.data["status"], "queue_position": None})
        case "output":
            output = render_output(gateway, base, job, event.data["output"])
            return _frame("output", output.model_dump(mode="json"))
    return _frame(event.name, dict(event.data))


def _frame(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(data), event=name)
