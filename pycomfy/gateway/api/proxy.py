"""`/comfyui/…`: ComfyUI's own API and editor, for those with a key, where the deployment wants it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import aiohttp
from fastapi import APIRouter, Request, Response, WebSocket, WebSocketDisconnect
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, StreamingResponse
from yarl import URL

from ..comfyui.instance import Instance
from .access import Authenticated
from .middleware import CLOSE_REFUSED
from .problem import ApiProblem, not_found
from .state import Gateway, State

router = APIRouter(prefix="/comfyui", include_in_schema=False)

MESSAGE_LIMIT = 64 << 20

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_OURS = frozenset(
    (
        # Of one connection alone.
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
        # What ComfyUI must not see: the key; and a name that is not its own, which it would refuse.
        *("authorization", "cookie", "host", "origin", "referer"),
    )
)
_FRAMING = frozenset(("date", "server", "connection", "keep-alive", "transfer-encoding", "set-cookie"))
_EDITOR = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; frame-ancestors 'self'; "
    "connect-src 'self' ws: wss: data: blob:"
)


def _find_instance(gateway: Gateway, connection: HTTPConnection) -> Instance:
    """The first that is ready, or the one that `worker` names. Raises `ApiProblem`."""
    if not gateway.settings.expose_comfyui:
        raise not_found("route: PYCOMFY_EXPOSE_COMFYUI is not set")
    wanted = connection.query_params.get("worker")
    for instance in gateway.instances:
        if instance.ready.is_set() and wanted in (None, instance.name):
            return instance
    raise ApiProblem(503, "unavailable", "ComfyUI is not ready", retry_after=2)


def _address(connection: HTTPConnection, instance: Instance) -> URL:
    """Where it goes, as it was written: the path of a route has lost its escapes."""
    query = connection.scope.get("query_string", b"").decode("latin-1")
    raw = (connection.scope.get("raw_path") or connection.scope["path"].encode()).decode("latin-1")
    path = raw.removeprefix("/comfyui").lstrip("/")
    return URL(f"http://127.0.0.1:{instance.places.port}/{path}" + (f"?{query}" if query else ""), encoded=True)


def _pass_on(headers: Headers) -> list[tuple[str, str]]:
    dropped = _OURS | {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return [(name, value) for name, value in headers.items() if name not in dropped and not name.startswith("sec-")]


@router.get("")
async def get_root(gateway: State, caller: Authenticated) -> Response:
    """The editor finds its files beside its address."""
    if not gateway.settings.expose_comfyui:
        raise not_found("route: PYCOMFY_EXPOSE_COMFYUI is not set")
    return RedirectResponse("comfyui/", 307)


@router.api_route("/{path:path}", methods=_METHODS)
async def proxy(path: str, request: Request, gateway: State, caller: Authenticated) -> Response:
    """Pass a request on, and its answer back, piece by piece."""
    instance = _find_instance(gateway, request)
    session = aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
    )
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    try:
        answer = await session.request(
            request.method,
            _address(request, instance),
            headers=_pass_on(request.headers),
            data=request.stream() if has_body else None,
            allow_redirects=False,
        )
    except (aiohttp.ClientError, OSError) as e:
        await session.close()
        raise ApiProblem(502, "upstream_error", "ComfyUI did not answer") from e
    except BaseException:
        await session.close()
        raise

    async def end() -> None:
        answer.close()
        await session.close()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.content.iter_any():
                yield piece
        finally:
            await end()

    headers = {**_answered(answer.headers.items()), "Content-Security-Policy": _EDITOR, "X-Frame-Options": "SAMEORIGIN"}
    return StreamingResponse(pieces(), answer.status, headers, background=BackgroundTask(end))


def _answered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {n: v for n, v in headers if n.lower() not in _FRAMING and not n.lower().startswith("access-control-")}


@router.websocket("/{path:path}")
async def proxy_socket(socket: WebSocket, path: str, gateway: State, caller: Authenticated) -> None:
    """Both ways, until one side ends."""
    try:
        instance = _find_instance(gateway, socket)
    except ApiProblem as e:
        await socket.close(CLOSE_REFUSED, e.message[:120])
        return
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        try:
            inner = await session.ws_connect(_address(socket, instance), max_msg_size=MESSAGE_LIMIT)
        except (aiohttp.ClientError, OSError):
            await socket.close(1011, "ComfyUI did not answer")
            return
        await socket.accept()
        tasks = [asyncio.create_task(_send_in(socket, inner)), asyncio.create_task(_send_out(socket, inner))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close()


async def _send_in(socket: WebSocket, inner: aiohttp.ClientWebSocketResponse) -> None:
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await inner.send_str(message["text"])
        else:
            await inner.send_bytes(message.get("bytes") or b"")


async def _send_out(socket: WebSocket, inner: aiohttp.ClientWebSocketResponse) -> None:
    async for message in inner:
        if message.type == aiohttp.WSMsgType.TEXT:
            await socket.send_text(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
