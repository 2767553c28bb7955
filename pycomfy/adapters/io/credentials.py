"""Logins for hosts: a token from the environment, or `~/.netrc`; they are sent to the host they belong to alone."""

import base64
import netrc
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from pycomfy.errors import BadConfig

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Token:
    """A secret for everything at `origin` (scheme, host and port, as in `https://example.org`)."""

    origin: str
    secret: str

    def __repr__(self) -> str:
        return f"Token({self.origin!r})"


class Credentials(httpx.Auth):
    """Adds a login to a request, by its origin. httpx drops it when a redirect leaves that origin.

    A token is sent as `Bearer`, an entry of netrc as `Basic`; where `bearer` names the origin, the password of its
    entry in netrc is its token. Nothing of netrc goes over unencrypted connections to other machines.
    """

    def __init__(self, tokens: tuple[Token, ...] = (), bearer: tuple[str, ...] = ()) -> None:
        self._tokens = {t.origin: t.secret for t in tokens}
        self._bearer = bearer
        self._netrc: netrc.netrc | None = None
        self._read = False

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        header = None if "Authorization" in request.headers else self._header(request.url)
        if header is not None:
            request.headers["Authorization"] = header
        yield request

    def _header(self, asked: httpx.URL) -> str | None:
        if asked.userinfo:
            return _basic(asked.username, asked.password)
        url = str(asked)
        origin = find_origin(url)
        if origin in self._tokens:
            return f"Bearer {self._tokens[origin]}"
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            return None
        entries = self._entries()
        entry = entries.authenticators(parts.hostname or "") if entries is not None else None
        if entry is None or not entry[2]:
            return None
        return f"Bearer {entry[2]}" if origin in self._bearer else _basic(entry[0], entry[2])

    def _entries(self) -> netrc.netrc | None:
        if not self._read:
            self._netrc = read_netrc()
            self._read = True
        return self._netrc


def has_login(url: str) -> bool:
    """Whether netrc has a login for what is at a web address."""
    return Credentials()._header(httpx.URL(url)) is not None


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def find_origin(url: str) -> str:
    """Scheme, host and port of a URL, in lower case, without the scheme's own port."""
    parts = urlsplit(url)
    scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port in (None, {"https": 443, "http": 80}.get(scheme)) else f":{port}")


def read_netrc() -> netrc.netrc | None:
    """`$NETRC`, else `~/.netrc`; None if there is none. Raises `BadConfig` for one that cannot be read."""
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        return netrc.netrc(path)
    except FileNotFoundError:
        return None
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as e:
        # Its own message may quote what stands there.
        line = f", line {e.lineno}" if isinstance(e, netrc.NetrcParseError) else ""
        raise BadConfig("the file with logins cannot be read", where=f"{path}{line}", fix="see `man netrc`") from None
