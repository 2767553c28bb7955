"""Event streams of both faces: how many a caller may have, and how they stay alive."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from fastapi.responses import StreamingResponse

from ..jobs.hub import Event
from ..jobs.model import Job
from .access import Caller
from .problem import ApiProblem
from .state import Gateway

KEEP_ALIVE = 15.0
"""Seconds between two comments while nothing happens: proxies close silent connections."""

EVENT = {"description": "Server-Sent Events; the data of each is JSON."}
"""The schema of a stream. Without a type: tools that read events check each of them, others the text."""

Write = Callable[[Event, Job | None], Awaitable[bytes]]
"""The form of an event; with a `snapshot` comes the job."""


@contextlib.contextmanager
def counted(gateway: Gateway, caller: Caller) -> Iterator[None]:
    """One stream of the caller. Raises `ApiProblem` if it has too many."""
    check_streams(gateway, caller)
    gateway.streams[caller.name] = gateway.streams.get(caller.name, 0) + 1
    try:
        yield
    finally:
        gateway.streams[caller.name] -= 1
        if not gateway.streams[caller.name]:
            del gateway.streams[caller.name]


def check_streams(gateway: Gateway, caller: Caller) -> None:
    """Raises `ApiProblem`."""
    if gateway.streams.get(caller.name, 0) >= gateway.settings.max_streams:
        raise ApiProblem(429, "too_many_streams", "close one of your event streams first", retry_after=5)


async def follow(gateway: Gateway, job: str, write: Write, after: int | None = None) -> AsyncIterator[bytes]:
    """Everything that happens to a job until its end, or after the event `after`; empty bytes when nothing happens for
    a while."""
    with gateway.hub.subscribe(job, after) as events:
        while not events.ended:
            event = await events.read(KEEP_ALIVE)
            if event is None:
                if not events.ended:
                    yield b""
                continue
            record = await gateway.store.get(job) if event.name == "snapshot" else None
            yield await write(event, record)
            if event.name == "snapshot" and (record is None or record.is_terminal):
                return


def sse_response(gateway: Gateway, caller: Caller, events: AsyncIterator[bytes]) -> StreamingResponse:
    """Raises `ApiProblem` if the caller has too many streams."""
    check_streams(gateway, caller)

    async def frames() -> AsyncIterator[bytes]:
        with counted(gateway, caller):
            async for frame in events:
                yield frame or b": keep-alive\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames(), media_type="text/event-stream", headers=headers)
