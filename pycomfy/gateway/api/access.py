"""Who calls: bearer keys, and what each may do. `Gate` is the one place that every request passes."""

import base64
import binascii
import hashlib
import hmac
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.types import Scope

from ..settings import BadSettings, Settings, describe
from .app_page import FILES
from .problem import ApiProblem

log = logging.getLogger(__name__)

OPEN = frozenset(("/livez", "/readyz", "/startupz"))
"""Paths for everybody, without a limit: engines ask them."""

PAGE = frozenset(FILES)
"""So are those of the page: it is the same in all images, and asks its user for the key."""

LISTS = frozenset(("/v1/jobs", "/api/v2/jobs"))
"""Paths whose GET lists jobs: those without a key could see one another's."""

SUBPROTOCOL = "pycomfy"
"""A WebSocket of a browser cannot have headers: it offers this protocol, and `bearer.` with the key in base64url."""

FILE_CHECK_EVERY = 1.0
MAX_BUCKETS = 10_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_PRIVATE = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc")
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


class Caller(BaseModel):
    """`name` is that of its key; empty where the API is open to everybody. `known`: it has a key, or none is needed."""

    name: str = ""
    known: bool = True


@dataclass(frozen=True)
class Key:
    name: str
    digest: bytes
    """SHA-256 of the key: the key itself is not kept."""


def parse_keys(entries: Iterable[str]) -> tuple[Key, ...]:
    """Of `NAME:KEY` and `NAME:sha256:HEX`. A name may have several keys, for the days in which one replaces another.

    Raises `ValueError`, without the key in its message.
    """
    keys: list[Key] = []
    for number, entry in enumerate(entries, 1):
        name, colon, key = entry.strip().partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise ValueError(f"key {number} has not the form NAME:KEY or NAME:sha256:HEX")
        hashed = _DIGEST.fullmatch(key)
        if key.startswith("sha256:") and not hashed:
            raise ValueError(f"key {number} ({name}): sha256: needs 64 hexadecimal digits")
        if not hashed and (len(key) < 8 or not key.isascii() or not key.isprintable() or " " in key):
            raise ValueError(f"key {number} ({name}): a key has at least 8 printable characters of ASCII, and no space")
        keys.append(Key(name, bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(key.encode()).digest()))
    return tuple(keys)


class Keys:
    """The keys of the settings, with those of the file as it is now.

    Raises `BadSettings` if a key is none or the file cannot be read. Later on such a file changes nothing: the keys
    that it had stay, and the log says why.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = settings.api_keys_file
        self._clock = clock
        self.needed = bool(settings.api_keys) or self._file is not None
        """Whether there are keys at all. A file without any lets nobody in."""
        self._seen: tuple[int, ...] | None = None
        self._checked = clock()
        try:
            self._given = parse_keys(settings.api_keys)
        except ValueError as e:
            raise BadSettings(f"PYCOMFY_API_KEYS: {e}") from None
        try:
            self._read: tuple[Key, ...] = self._read_file(self._file) if self._file is not None else ()
        except (OSError, ValueError) as e:
            raise BadSettings(f"PYCOMFY_API_KEYS_FILE: {describe(e)}") from None

    def find(self, key: str) -> str | None:
        """The name of a key."""
        self._refresh()
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known in (*self._given, *self._read):  # all of them, whichever it is
            if hmac.compare_digest(known.digest, digest) and found is None:
                found = known.name
        return found

    def _refresh(self) -> None:
        now = self._clock()
        if self._file is None or now - self._checked < FILE_CHECK_EVERY:
            return
        self._checked = now
        try:
            if _look(self._file) == self._seen:
                return
            self._read = self._read_file(self._file)
        except (OSError, ValueError) as e:
            log.error("the file of keys is not taken, those that it had stay: %s", describe(e))
        else:
            log.info("the file of keys was read again: it has %d", len(self._read))

    def _read_file(self, file: Path) -> tuple[Key, ...]:
        seen = _look(file)
        lines = (line.strip() for line in file.read_text("utf-8").splitlines())
        keys = parse_keys(line for line in lines if line and not line.startswith("#"))
        self._seen = seen
        return keys


def _look(file: Path) -> tuple[int, ...]:
    about = file.stat()
    return about.st_mtime_ns, about.st_size, about.st_ino


@dataclass
class Buckets:
    """A token bucket for each caller: `rate` requests a second, and `burst` at once. A rate of 0 is no limit."""

    rate: float
    burst: float
    clock: Callable[[], float] = time.monotonic
    _levels: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, caller: str) -> float:
        """0 if the request may pass, else the seconds to wait."""
        if self.rate <= 0:
            return 0.0
        now = self.clock()
        level, since = self._levels.pop(caller, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.rate)
        passes = level >= 1
        self._levels[caller] = (level - 1 if passes else level, now)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return 0.0 if passes else (1 - level) / self.rate


class Gate:
    """Decides for each request who calls, and whether they may. One for each gateway."""

    def __init__(self, settings: Settings, keys: Keys | None = None) -> None:
        self.keys = keys or Keys(settings)
        self.settings = self._settings = settings
        self._buckets = Buckets(settings.rate_limit, settings.rate_burst or max(settings.rate_limit, 1))
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._own = urlsplit(settings.public_url).netloc.lower()
        self._origins = frozenset(settings.cors_origins)
        if settings.expose_comfyui and not self.keys.needed:
            raise BadSettings("PYCOMFY_EXPOSE_COMFYUI: ComfyUI itself is for those with a key: set PYCOMFY_API_KEYS")

    def admit(self, scope: Scope) -> Caller:
        """The caller of a request. Raises `ApiProblem`."""
        connection = HTTPConnection(scope)
        self._check_host(connection)
        path = scope["path"]
        if path in OPEN or path in PAGE:
            return Caller()
        key, is_bearer = _find_key(connection)
        name = self.keys.find(key) if key else None
        if not is_bearer:
            # What a browser sends on its own may be sent by any page that it shows.
            self._check_origin(connection)
        public = self._settings.public or (path == "/metrics" and self._settings.metrics_public)
        if name is None and self.keys.needed and (key or not public):
            self._limit(f"refused from {_find_address(connection)}")
            raise _unauthorized(
                connection, "the key is not known" if key else "a key is needed: Authorization: Bearer KEY"
            )
        caller = Caller(name=name or "", known=name is not None or not (self.keys.needed or self._settings.public))
        if not caller.known:
            self._check_anonymous(connection)
        self._limit(f"key {name}" if name else f"from {_find_address(connection)}")
        return caller

    def _limit(self, caller: str) -> None:
        """Raises `ApiProblem`."""
        wait = self._buckets.take(caller)
        if wait > 0:
            raise ApiProblem(429, "rate_limited", "too many requests", retry_after=max(1, round(wait + 0.5)))

    def _check_host(self, connection: HTTPConnection) -> None:
        host = connection.headers.get("host", "")
        if not host and connection.scope.get("http_version") == "1.1":
            raise ApiProblem(400, "invalid_request", "a request of HTTP/1.1 has a Host header")  # RFC 9112, 3.2
        if host and not _HOST.fullmatch(host):
            raise ApiProblem(400, "invalid_request", "the Host header is no host")
        if connection.scope["path"] in OPEN:
            return
        name = _without_port(host).lower()
        if self._hosts and name not in self._hosts and "*" not in self._hosts:
            raise ApiProblem(421, "wrong_host", "this gateway is not asked by that name")
        # Without keys, the name is all that tells a page whose own name leads to this address (DNS rebinding).
        is_open = self.keys.needed or self._settings.public
        if not (self._hosts or is_open or is_private_name(name) or name == _without_port(self._own)):
            raise ApiProblem(421, "wrong_host", "without keys, this name must be among PYCOMFY_ALLOWED_HOSTS")

    def _check_origin(self, connection: HTTPConnection) -> None:
        """As browsers tell it: no page of another site may change something, or open a WebSocket."""
        if connection.scope["type"] == "http" and connection.scope["method"] in _SAFE:
            return
        origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
        if origin is None and site in (None, "same-origin", "none"):
            return
        if site == "same-origin" or (origin is not None and (origin in self._origins or "*" in self._origins)):
            return
        place = urlsplit(origin or "").netloc.lower()
        if site is None and place and place in (connection.headers.get("host", "").lower(), self._own):
            return
        raise ApiProblem(403, "forbidden", "pages of other sites may not do this (PYCOMFY_CORS_ORIGINS)")

    def _check_anonymous(self, connection: HTTPConnection) -> None:
        path, method = connection.scope["path"], connection.scope.get("method", "GET")
        if path.startswith("/comfyui") or (path == "/metrics" and not self._settings.metrics_public):
            raise _unauthorized(connection, "this needs a key")
        if path.rstrip("/") in LISTS and method in _SAFE:
            raise _unauthorized(connection, "jobs are listed for those with a key; you can ask for each by its id")


def _find_address(connection: HTTPConnection) -> str:
    """Where a request comes from. Those of a unix socket have no address, and count as one: a limit that somebody set
    holds for them, too, as it does behind a proxy, whose address all have, or on 127.0.0.1."""
    return connection.client.host if connection.client else "the socket"


def _find_key(connection: HTTPConnection) -> tuple[str, bool]:
    """The key of a request, and whether no browser sends it on its own. Basic: the password, whoever the user is."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer" and given:
        return given, True
    if scheme.lower() == "basic":
        return _decode(given).partition(":")[2] or "?", False
    for protocol in connection.scope.get("subprotocols", ()):
        if protocol.startswith("bearer."):
            return _decode(protocol.removeprefix("bearer.")) or "?", True
    return "", False


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/") + "==").decode()
    except (binascii.Error, ValueError):
        return ""


def is_private_name(name: str) -> bool:
    """Whether no public name server answers for a host: an address, a single word, or a name of a private network."""
    plain = name.rstrip(".")
    if "." not in plain or plain.startswith("["):
        return True
    return plain.rpartition(".")[2].isdigit() or plain.endswith(_PRIVATE)


def _without_port(host: str) -> str:
    return host[: host.rindex("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _unauthorized(connection: HTTPConnection, message: str) -> ApiProblem:
    # A browser asks its user for the key; a program shall not make it do so.
    is_page = "text/html" in connection.headers.get("accept", "")
    return ApiProblem(401, "unauthorized", message, challenge='Basic realm="pycomfy"' if is_page else "Bearer")


async def _find_caller(connection: HTTPConnection) -> Caller:
    # No default: a request that did not pass the gate must not get any further.
    caller: Caller = connection.scope["state"]["caller"]
    return caller


Authenticated = Annotated[Caller, Depends(_find_caller)]
