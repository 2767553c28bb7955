"""Event streams of both faces: how many a caller may have, and how they stay alive."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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


async def run_until_first(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Return when one of them is done, or raise what it raises; the others are cancelled."""
    tasks = {asyncio.create_task(coroutine) for coroutine in coroutines}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class EventStream(Response):
    """Sends events as they come, until there are no more or the client is gone.

    Starlette's answer for streams does it with anyio, which takes longer, and 0.1 s at its first use.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        self.status_code, self.background = 200, None
        self.init_headers(headers)
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await run_until_first(self._send_all(send), _wait_for_end(receive))

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with contextlib.aclosing(self._frames) as frames:
            async for frame in frames:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def sse_response(gateway: Gateway, caller: Caller, events: AsyncIterator[bytes]) -> EventStream:
    """Raises `ApiProblem` if the caller has too many streams."""
    check_streams(gateway, caller)

    async def frames() -> AsyncGenerator[bytes, None]:
        with counted(gateway, caller):
            async for frame in events:
                yield frame or b": keep-alive\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventStream(frames(), headers)
