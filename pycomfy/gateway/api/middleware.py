"""What every request passes, from the outside in, without a buffer in between: streams stay streams.

`StrictHeaders`, `Observe` (ids, counts, failures), CORS, `Access` (the gate), `BodyLimit`.
"""

import asyncio
import io
import logging
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..assets.blobs import has_room
from ..logs import request_context
from .access import SUBPROTOCOL, Gate
from .problem import ApiProblem

log = logging.getLogger(__name__)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

UPLOADS = frozenset(("/v1/files", "/api/v2/assets"))
"""Where a body may be as large as a file; elsewhere all of it would be read into memory."""

REFUSED_BODY = 64 << 10
REFUSED_SECONDS = 5.0
"""What is taken of a body that came with a refused request: who sends more, or more slowly, is disconnected."""

LOOK_EVERY = 16 << 20
"""Bytes of an upload between two looks at the disk."""

BODY_PAUSE = 60.0
"""Seconds that a client may pause in the middle of a request's body."""

MULTIPART_SLACK = 1 << 20
"""Bytes of an upload beside its file: fields and boundaries."""

CLOSE_UNAUTHORIZED = 3000
CLOSE_REFUSED = 1008
"""Close codes of WebSockets: the first is that of the registry for "Unauthorized"."""

CLOSE = {"Connection": "close"}

SMALL_BODY = 64 << 10
LARGE_BODIES = 8
"""A caller's bodies that are in memory at once have so many times `PYCOMFY_MAX_BODY` together, without the first
`SMALL_BODY` bytes of each: a small request is always taken."""

SMALL_FILE = 1 << 16
LARGE_PIECE = 1 << 20
LARGE_PIECES = 64
"""Bytes of a file that are sent as they are read, and of each further piece of a larger one; and how many files at a
time are sent in such pieces: clients that do not read would fill the memory with them."""

Render = Callable[[Request, ApiProblem], Response]

_OURS = (b"x-request-id", b"traceparent")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Observe:
    """Gives each request its id, gives that and the caller's trace back, counts, and answers where the rest fails."""

    def __init__(self, app: ASGIApp, render: Render) -> None:
        self._app = app
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given, trace = headers.get("x-request-id", ""), headers.get("traceparent")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        if trace is not None and not _TRACEPARENT.fullmatch(trace):
            trace = None
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"traceparent"]
        token = request_context.set({"request_id": request_id, **({"trace_id": trace[3:35]} if trace else {})})
        began, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                answer = [pair for pair in message["headers"] if pair[0].lower() not in _OURS]
                answer.append((b"x-request-id", request_id.encode()))
                if trace:
                    answer.append((b"traceparent", trace.encode()))
                message["headers"] = answer
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            log.exception("a request failed", extra={"path": scope["path"][:200]})
            if scope["type"] == "http" and not status:
                problem = ApiProblem(500, "upstream_error", "the gateway failed; its log says why")
                await self._render(Request(scope), problem)(scope, receive, note)
        finally:
            self._report(scope, status, time.perf_counter() - began)
            request_context.reset(token)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope.get("method", "WEBSOCKET")
        scope["app"].state.gateway.metrics.count_request(method, find_route(scope), status, seconds)
        level = logging.WARNING if status >= 500 else logging.INFO if status in (401, 403, 413, 429) else logging.DEBUG
        if log.isEnabledFor(level):
            about = {"method": method, "path": scope["path"][:200], "status": status, "ms": round(seconds * 1000, 1)}
            caller = scope.get("state", {}).get("caller")
            log.log(level, "request", extra={**about, "caller": caller.name if caller is not None else None})


def find_route(scope: Scope) -> str:
    """The route's template, for labels: never a path that a client chose."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    context = (
        scope.get("fastapi", {}).get("effective_route_context") if isinstance(scope.get("fastapi"), dict) else None
    )
    return str(getattr(context, "path", None) or path or "other")


class StrictHeaders:
    """Adds `HEADERS` where the answer has none of that name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in there)]
            await send(message)

        await self._app(scope, receive, add if scope["type"] == "http" else send)


class SendFiles:
    """Sends the files of answers, as servers do that know ASGI's extension `http.response.pathsend`.

    What is small is read where it is sent: the way to another thread and back takes ten times as long.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._large = 0
        """Files that are being sent in large pieces."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def wait_for_end() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def send_rest(file: io.FileIO, data: bytes, piece: int) -> None:
            gone = asyncio.create_task(wait_for_end())
            try:
                # Nobody says to who sends that the client is gone; all of the file would be read for it.
                while data and not gone.done():
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    data = b""  # not kept while the client reads
                    await send({"type": "http.response.body", "body": b"", "more_body": True})  # waits for that
                    data = await asyncio.to_thread(file.read, piece)
            finally:
                gone.cancel()

        async def open_and_send(message: Message) -> None:
            if message["type"] != "http.response.pathsend":
                await send(message)
                return
            with open(message["path"], "rb", buffering=0) as file:  # noqa: PTH123
                data = file.read(SMALL_FILE)
                if len(data) == SMALL_FILE:
                    is_large = self._large < LARGE_PIECES
                    self._large += is_large
                    try:
                        await send_rest(file, data, LARGE_PIECE if is_large else SMALL_FILE)
                    finally:
                        self._large -= is_large
                    data = b""
            await send({"type": "http.response.body", "body": data, "more_body": False})

        # Not in a copy of the scope: the route that answers is noted there, for those outside.
        scope["extensions"] = {**scope.get("extensions", {}), "http.response.pathsend": {}}
        await self._app(scope, receive, open_and_send)


class Access:
    """Lets those in whom the gate lets in, and says who they are."""

    def __init__(self, app: ASGIApp, render: Render) -> None:
        self._app = app
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        gate: Gate = scope["app"].state.gateway.gate
        try:
            scope.setdefault("state", {})["caller"] = gate.admit(scope)
        except ApiProblem as problem:
            await self._refuse(problem, scope, receive, send)
            return
        if scope["type"] == "http":
            await self._app(scope, receive, send)
            return

        async def accept(message: Message) -> None:
            # A browser fails without an answer to the protocols that it offered.
            if message["type"] == "websocket.accept" and SUBPROTOCOL in scope.get("subprotocols", ()):
                message.setdefault("subprotocol", None)
                message["subprotocol"] = message["subprotocol"] or SUBPROTOCOL
            await send(message)

        await self._app(scope, receive, accept)

    async def _refuse(self, problem: ApiProblem, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = self._render(Request(scope), problem)
            if not await _take_rest(scope, receive):
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        if "websocket.http.response" in scope.get("extensions", {}):
            response = self._render(Request({**scope, "type": "http", "method": "GET"}), problem)
            start = {"type": "websocket.http.response.start", "status": problem.status, "headers": response.raw_headers}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": response.body})
            return
        await receive()
        code = CLOSE_UNAUTHORIZED if problem.status == 401 else CLOSE_REFUSED
        await send({"type": "websocket.close", "code": code, "reason": problem.message[:120]})


async def _take_rest(scope: Scope, receive: Receive) -> bool:
    """Whether the body of a refused request ended soon."""
    headers = Headers(scope=scope)
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return True
    taken = 0
    try:
        async with asyncio.timeout(REFUSED_SECONDS):
            while taken <= REFUSED_BODY:
                message = await receive()
                taken += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False


class BodyLimit:
    """Refuses what is too large before it is read, or as soon as it is, alone or with what else the caller sends; and
    clients that stop in the middle."""

    def __init__(self, app: ASGIApp, render: Render) -> None:
        self._app = app
        self._render = render
        self._held: Counter[str] = Counter()
        """Bytes in memory of each caller's bodies, beyond the small part of each."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        gateway = scope["app"].state.gateway
        settings = gateway.settings
        headers = Headers(scope=scope)
        path = scope["path"].rstrip("/")
        is_upload = headers.get("content-type", "").lower().startswith("multipart/form-data") and (
            path in UPLOADS or path.startswith("/comfyui/")
        )
        limit = settings.max_upload + MULTIPART_SLACK if is_upload else settings.max_body
        told = headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:20]) > limit:
            problem = ApiProblem(413, "too_large", f"at most {limit} bytes are taken here")
            response = self._render(Request(scope), problem)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        received, is_over, held = 0, False, 0
        caller: str = scope["state"]["caller"].name

        async def count() -> Message:
            nonlocal received, is_over, held
            if is_over:  # it is waited for the end of the connection
                return await receive()
            try:
                async with asyncio.timeout(BODY_PAUSE):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the request did not come in time", CLOSE) from None
            before, received = received, received + len(message.get("body", b""))
            if is_upload and (not before or before // LOOK_EVERY != received // LOOK_EVERY):
                _check_disk(gateway.data)
            is_over = not message.get("more_body", False)
            if received > limit:
                raise HTTPException(413, f"at most {limit} bytes are taken here", CLOSE)
            if not is_upload and received - held > SMALL_BODY:
                self._held[caller] += received - SMALL_BODY - held
                held = received - SMALL_BODY
                if self._held[caller] > LARGE_BODIES * settings.max_body:
                    raise HTTPException(429, "send fewer large requests at once", {"Retry-After": "1"} | CLOSE)
            return message

        try:
            await self._app(scope, count, send)
        finally:
            if held:
                self._held[caller] -= held
                self._held += Counter()  # without zeros


def _check_disk(folder: Path) -> None:
    """Raises `HTTPException` where an upload would take what jobs need."""
    if not has_room(folder):
        raise HTTPException(507, "there is no space left for uploads", CLOSE)
