"""Decide who may use the server, for what, and from which page.

Other pages of the same browser can send requests here, and a name of theirs can be made to point here. So every request
must name a host that is this server's; what the API is asked must come from somebody who is known, and whose role is
enough; and what a browser sends must come from a page of this very server.
"""

import math
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pycomfy.errors import PycomfyError
from pycomfy.server.audit import Audit
from pycomfy.server.callers import Caller, Callers, TooManyWrongKeys
from pycomfy.server.hosts import Hosts
from pycomfy.server.problems import problem
from pycomfy.server.roles import METRICS, SOCKET, find_rules

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

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

_OTHER_SITE = "a page of another site may not do this"

_ADVICE = {
    "token": "open the address that was printed when the server was started",
    "key": "sign in with your key",
    "proxy": "ask through the proxy that says who you are",
}


class Refusal(NamedTuple):
    """An answer to what may not be asked."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = {}


class Access:
    """Lets through what may be asked. `cookie` is the name of the cookie, `hosts` the names of the server."""

    def __init__(self, app: ASGIApp, callers: Callers, cookie: str, hosts: Hosts, audit: Audit) -> None:
        self._app, self._callers, self._cookie, self._hosts, self._audit = app, callers, cookie, hosts, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                known = {name for name, _ in message["headers"]}
                more = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in known]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        async def send_while_known(message: Message) -> None:
            """Whoever is removed hears nothing more."""
            if message["type"] == "websocket.send" and self._is_gone(connection):
                await send({"type": "websocket.close", "code": 1008, "reason": "you may no longer listen"})
                raise OSError("somebody who was removed")
            await send(message)

        decided = self._decide(connection)
        if not isinstance(decided, Refusal):
            scope.setdefault("state", {})["caller"] = decided
            is_socket = scope["type"] == "websocket"
            await self._app(scope, receive, send_while_known if is_socket else send_with_headers)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": decided.message})
        else:
            answer = problem(decided.status, decided.code, decided.message, **self._more(decided))
            answer.headers.update(decided.headers)
            await answer(scope, receive, send_with_headers)
        caller = scope.get("state", {}).get("caller")
        if scope["type"] == "http" and caller is not None and (scope["method"] not in _SAFE or status == 403):
            await self._audit.record(connection, caller, status)

    def _more(self, refusal: Refusal) -> dict[str, object]:
        if refusal.status != 401:
            return {}
        way = self._callers.sign_in_with
        return {"fixes": [{"advice": _ADVICE[way]}], "sign_in_with": way}

    def _is_gone(self, connection: HTTPConnection) -> bool:
        try:
            return self._callers.find(connection, self._read_cookie(connection.headers)) is None
        except (PycomfyError, TooManyWrongKeys):
            return True

    def _decide(self, connection: HTTPConnection) -> Caller | Refusal | None:
        """Who asks, where they may; None where everybody may."""
        headers, scope = connection.headers, connection.scope
        host = headers.get("host", "")
        if not self._hosts.has(host):
            return Refusal(403, "forbidden", "this server is not asked by that name")
        path: str = scope["path"]
        if not path.startswith("/api/") and path != METRICS:
            return None
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return Refusal(403, "forbidden", _OTHER_SITE)
        method = SOCKET if scope["type"] == "websocket" else scope["method"]
        changes = method not in _SAFE
        origin = headers.get("origin")
        if origin is not None and changes and not _is_of(origin, host):
            return Refusal(403, "forbidden", _OTHER_SITE)
        rules = {rule.method: rule for rule in find_rules(path)}
        rule = rules.get(method)
        if rule is not None and rule.role is None:
            return None
        caller = self._identify(connection)
        if isinstance(caller, Refusal):
            return caller
        if caller.ambient and changes and origin is None:
            return Refusal(403, "forbidden", "a browser says which page asks")
        if rule is None and rules:
            first = next(iter(rules.values())).path  # not what another path has that looks like this one
            allowed = ", ".join(sorted(m for m, known in rules.items() if known.path == first and m != SOCKET))
            return Refusal(405, "method-not-allowed", "this cannot be asked in that way", {"allow": allowed})
        if rule is None:
            return Refusal(404, "not-found", "there is nothing here")
        assert rule.role is not None  # noqa: S101
        if caller.role < rule.role:
            scope.setdefault("state", {})["caller"] = caller
            return Refusal(403, "forbidden", f'this needs the role "{rule.role.title}"; yours is "{caller.role.title}"')
        return caller

    def _identify(self, connection: HTTPConnection) -> Caller | Refusal:
        try:
            caller = self._callers.find(connection, self._read_cookie(connection.headers))
        except TooManyWrongKeys as e:
            return too_many(e)
        except PycomfyError:  # such as a file of users that somebody is changing
            return Refusal(503, "unavailable", "the users of this server cannot be read now")
        if caller is not None:
            return caller
        if self._callers.sign_in_with == "token":
            return Refusal(401, "unauthorized", "the token of this server is missing, or is that of an earlier start")
        return Refusal(401, "unauthorized", "it is not known who you are", {"www-authenticate": "Bearer"})

    def _read_cookie(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def too_many(error: TooManyWrongKeys) -> Refusal:
    """Return the answer to one more key from an address that sent too many wrong ones."""
    seconds = max(1, math.ceil(error.seconds))
    return Refusal(429, "too-many", "too many wrong keys came from there", {"retry-after": str(seconds)})


def _is_of(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host
