"""Refuse bodies that are larger than they may be, before they are read."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pycomfy.server.problems import problem

MAX_BODY = 1 << 20
"""Bytes of a request, other than an upload."""


class BodyLimit:
    """Bounds the body of each request: `uploads` are the paths to which more may be sent, with how much."""

    def __init__(self, app: ASGIApp, uploads: dict[str, int]) -> None:
        self._app, self._uploads = app, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._uploads.get(scope["path"], MAX_BODY) if scope["method"] == "POST" else MAX_BODY
        what = f"a request may have {limit >> 20} MiB here"
        length = Headers(scope=scope).get("content-length", "0")
        if not (length.isascii() and length.isdecimal()) or len(length) > 18 or int(length) > limit:
            await problem(413, "too-large", what)(scope, receive, send)
            return
        read = 0

        async def receive_bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, what)
            return message

        await self._app(scope, receive_bounded, send)
