"""Decide who may use the server: whoever has the token of this start, in a page of this server and of no other.

Other pages of the same browser can send requests here, and a name of theirs can be made to point here (DNS rebinding).
So every request must name a loopback address as its host; what the API is asked must carry the token; and what comes
from a browser must come from a page of this very server.
"""

import hmac
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pycomfy.server.problems import problem

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
SESSION = "/api/session"
"""Where a page changes the token for a cookie."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer has. Style attributes are React's and React Flow's: they place nodes."""


class Access:
    """Lets through what may be asked. `token` is that of this start, `cookie` the name of its cookie."""

    def __init__(self, app: ASGIApp, token: str, cookie: str) -> None:
        self._app, self._token, self._cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                more = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in known]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        refused = self._refuse(scope)
        if refused is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1]})
        else:
            status, message = refused
            code = "unauthorized" if status == 401 else "forbidden"
            fix = {"fixes": [{"advice": "open the address that was printed when the server was started"}]}
            await problem(status, code, message, **fix)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_loopback(host):
            return 403, "this server answers to 127.0.0.1 and localhost alone"
        path: str = scope["path"]
        if not path.startswith("/api/"):
            return None
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return 403, "a page of another site may not do this"
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        origin = headers.get("origin")
        if origin is not None and changes and not _is_of(origin, host):
            return 403, "a page of another site may not do this"
        if path == SESSION and scope["type"] == "http" and scope["method"] == "POST":
            return None  # it says the token itself
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if is_equal(bearer, self._token):
            return None
        if not is_equal(self._read_cookie(headers), self._token):
            return 401, "the token of this server is missing, or is that of an earlier start"
        if changes and origin is None:
            return 403, "a browser says which page asks"
        return None

    def _read_cookie(self, headers: Mapping[str, str]) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def is_loopback(host: str) -> bool:
    """Return whether a Host header names this machine. Any port may: it may be that of a tunnel."""
    found = _HOST.fullmatch(host)
    return found is not None and found["name"].lower() in LOOPBACK_NAMES


def is_equal(given: str, token: str) -> bool:
    """Compare without telling by the time it takes how much is right."""
    return bool(given) and hmac.compare_digest(given.encode(errors="replace"), token.encode())


def _is_of(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host
