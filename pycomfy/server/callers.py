"""Know who asks: by the token of this start, by a user's key, or by what a trusted proxy says."""

import hashlib
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from pycomfy.core.access.users import Role, is_user_name
from pycomfy.server.secret import is_equal
from pycomfy.services.users import KnownUsers, role_of

SignIn = Literal["token", "key", "proxy"]
"""How one says who one is: the token in the address, a key, or nothing at all, as a proxy does."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_SESSIONS = 2000
SESSION_AGE = 7 * 86400.0
"""Seconds after which one has to sign in again."""

WRONG_KEYS, WRONG_KEYS_EVERY = 10, 6.0
"""Wrong keys that may come from one address at once, and the seconds after which it may be one more."""

MAX_ADDRESSES = 10_000


@dataclass(frozen=True)
class Caller:
    """Who asks; `name` is "" for the owner. `ambient` says that the browser sent it without being asked: then any page
    might have."""

    name: str
    role: Role
    ambient: bool = False


class TooManyWrongKeys(Exception):
    """From one address; `seconds` until it may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many wrong keys")
        self.seconds = seconds


class Callers(Protocol):
    """Says who asks."""

    sign_in_with: SignIn

    def find(self, connection: HTTPConnection, cookie: str) -> Caller | None:
        """Return who asks; None for somebody unknown. Raises `TooManyWrongKeys`."""
        ...

    def begin(self, secret: str, address: str) -> tuple[str, Caller] | None:
        """Return the cookie for a token or a key, and whose it is; None for a wrong one. Raises `TooManyWrongKeys`."""
        ...

    def end(self, cookie: str) -> None:
        """Let a cookie be worth nothing."""
        ...

    def address(self, connection: HTTPConnection) -> str:
        """Return where a request comes from."""
        ...


class OwnerAlone:
    """Whoever has the token of this start is the owner, and nobody else is anybody."""

    sign_in_with: SignIn = "token"

    def __init__(self, token: str) -> None:
        self._token = token

    def find(self, connection: HTTPConnection, cookie: str) -> Caller | None:
        if is_equal(find_bearer(connection.headers), self._token):
            return Caller("", Role.OWNER)
        return Caller("", Role.OWNER, ambient=True) if is_equal(cookie, self._token) else None

    def begin(self, secret: str, address: str) -> tuple[str, Caller] | None:
        return (self._token, Caller("", Role.OWNER)) if is_equal(secret, self._token) else None

    def end(self, cookie: str) -> None:
        """The token stays: it is in the address that was printed."""

    def address(self, connection: HTTPConnection) -> str:
        return _find_peer(connection)


@dataclass
class WrongKeys:
    """Counts wrong keys by address: each may send a few at once, and then one in a while."""

    clock: Callable[[], float] = time.monotonic
    _levels: "OrderedDict[str, tuple[float, float]]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, address: str) -> None:
        """Raises `TooManyWrongKeys`."""
        with self._lock:
            level = self._level(address)
        if level < 1:
            raise TooManyWrongKeys((1 - level) * WRONG_KEYS_EVERY)

    def add(self, address: str) -> None:
        """Count one."""
        with self._lock:
            level = self._level(address)
            self._levels[group(address)] = (max(0.0, level - 1), self.clock())
            self._levels.move_to_end(group(address))
            if len(self._levels) > MAX_ADDRESSES:
                self._levels.popitem(last=False)

    def _level(self, address: str) -> float:
        level, since = self._levels.get(group(address), (float(WRONG_KEYS), self.clock()))
        return min(WRONG_KEYS, level + (self.clock() - since) / WRONG_KEYS_EVERY)


def group(address: str) -> str:
    """Return what counts as one address: of IPv6 a whole network, as one machine has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else address


@dataclass(frozen=True)
class _Session:
    name: str
    key: str
    until: float


class Sessions:
    """Who signed in, by cookie. They are in memory alone: after a restart one signs in again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, name: str, key: str) -> str:
        """Return a new cookie. `key` is the hash of the user's key: with another one, the session is worth nothing."""
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(cookie)] = _Session(name, key, self._clock() + SESSION_AGE)
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return cookie

    def find(self, cookie: str) -> _Session | None:
        """Return the session of a cookie."""
        with self._lock:
            found = self._sessions.get(_digest(cookie))
            if found is not None and found.until < self._clock():
                del self._sessions[_digest(cookie)]
                return None
            return found

    def end(self, cookie: str) -> None:
        """Forget a session."""
        with self._lock:
            self._sessions.pop(_digest(cookie), None)


def _digest(cookie: str) -> bytes:
    # By the hash: what the time of a look-up says is nothing about the cookie.
    return hashlib.sha256(cookie.encode(errors="surrogateescape")).digest()


@dataclass(frozen=True)
class TrustedProxy:
    """A proxy that says in `header` who asks. It is believed at its own addresses only. Whom the file of users does not
    have gets `role`."""

    header: str
    networks: tuple[Network, ...]
    role: Role

    def is_at(self, address: str) -> bool:
        """Return whether a connection from there is the proxy's."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks)


class Team:
    """Users with keys, and those whom a proxy names."""

    def __init__(self, users: KnownUsers | None, proxy: TrustedProxy | None) -> None:
        self._users, self._proxy = users, proxy
        self._sessions, self._wrong = Sessions(), WrongKeys()
        self.sign_in_with: SignIn = "key" if users is not None and proxy is None else "proxy"

    def find(self, connection: HTTPConnection, cookie: str) -> Caller | None:
        key = find_bearer(connection.headers)
        if key:
            name = self._try(key, self.address(connection))
            return self._caller(name, ambient=False) if name is not None else None
        named = self._find_named(connection)
        if named is not None:
            return named
        session = self._sessions.find(cookie) if cookie else None
        if session is None or self._users is None:
            return None
        user = self._users.find(session.name)
        if user is None or user.key != session.key:
            return None
        return Caller(session.name, role_of(user), ambient=True)

    def begin(self, secret: str, address: str) -> tuple[str, Caller] | None:
        name = self._try(secret, address)
        user = self._users.find(name) if name is not None and self._users is not None else None
        if name is None or user is None or user.key is None:
            return None
        return self._sessions.begin(name, user.key), Caller(name, role_of(user))

    def end(self, cookie: str) -> None:
        self._sessions.end(cookie)

    def address(self, connection: HTTPConnection) -> str:
        """Return where a request comes from: what the proxy says of its own requests, too."""
        address = _find_peer(connection)
        if self._proxy is not None and self._proxy.is_at(address):
            said = connection.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            return said[:64] or address
        return address

    def _try(self, key: str, address: str) -> str | None:
        """The name of whose key it is. An address that sent too many wrong keys is not even answered for a right one:
        else the limit would limit nothing."""
        if self._users is None:
            return None
        self._wrong.check(address)
        name = self._users.find_by_key(key)
        if name is None:
            self._wrong.add(address)
        return name

    def _find_named(self, connection: HTTPConnection) -> Caller | None:
        if self._proxy is None or not self._proxy.is_at(_find_peer(connection)):
            return None
        values = connection.headers.getlist(self._proxy.header)
        if len(values) != 1 or not is_user_name(values[0]):
            return None
        return self._caller(values[0], ambient=True) or Caller(values[0], self._proxy.role, ambient=True)

    def _caller(self, name: str, *, ambient: bool) -> Caller | None:
        user = self._users.find(name) if self._users is not None else None
        return Caller(name, role_of(user), ambient=ambient) if user is not None else None


def _find_peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client is not None else ""


def find_bearer(headers: Headers) -> str:
    """Return the token or key that a program sends; "" without one."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def find_caller(connection: HTTPConnection) -> Caller:
    """Return who asks. There is no default: what did not pass `Access` gets no further."""
    caller: Caller = connection.scope["state"]["caller"]
    return caller


CallerOf = Annotated[Caller, Depends(find_caller)]
