"""The event stream of the contract: whole snapshots without ids."""

import json
from typing import Any

from fastapi.sse import format_sse_event
from starlette.requests import Request

from ...jobs.hub import Event
from ...jobs.model import Job
from ..access import Caller
from ..state import Gateway
from ..streams import EventStream, follow, sse_response
from .render import base_url, render_output


def stream_events(gateway: Gateway, request: Request, caller: Caller, job: Job) -> EventStream:
    """Raises `ApiProblem` if the caller has too many streams."""
    base = base_url(gateway, request)

    async def write(event: Event, record: Job | None) -> bytes:
        if event.name == "snapshot":
            state = record.state if record is not None else "expired"
            position = await gateway.store.position(job.id) if state == "queued" else None
            return _frame("status", {"status": state, "queue_position": position})
        return event.encoded(base, lambda event: _encode(gateway, base, job.id, event))

    return sse_response(gateway, caller, follow(gateway, job.id, write))


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
