"""Logins for hosts: tokens that the caller has, and `~/.netrc`. Each is sent to its own host alone."""

import base64
import netrc
import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
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
    entry in netrc is its token. Nothing of netrc goes over unencrypted connections to other machines. `NETRC` in the
    `environment` names the file.
    """

    def __init__(
        self,
        tokens: tuple[Token, ...] = (),
        bearer: tuple[str, ...] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._tokens = {t.origin: t.secret for t in tokens}
        self._bearer = bearer
        self._environment = environment

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        header = None if "Authorization" in request.headers else self.find(request.url)
        if header is not None:
            request.headers["Authorization"] = header
        yield request

    def find(self, address: httpx.URL) -> str | None:
        """Return the value of the `Authorization` header for an address; None without a login."""
        if address.userinfo:
            return _basic(address.username, address.password)
        url = str(address)
        origin = find_origin(url)
        if origin in self._tokens:
            return f"Bearer {self._tokens[origin]}"
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            return None
        entry = self._netrc.authenticators(parts.hostname or "") if self._netrc is not None else None
        if entry is None or not entry[2]:
            return None
        return f"Bearer {entry[2]}" if origin in self._bearer else _basic(entry[0], entry[2])

    @cached_property
    def _netrc(self) -> netrc.netrc | None:
        return read_netrc(self._environment)


def has_login(url: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether netrc has a login for a web address, or the address holds one."""
    return Credentials(environment=environment).find(httpx.URL(url)) is not None


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def find_origin(url: str) -> str:
    """Return scheme, host and port of a URL, in lower case, without the scheme's own port."""
    parts = urlsplit(url)
    scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port in (None, {"https": 443, "http": 80}.get(scheme)) else f":{port}")


def read_netrc(environment: Mapping[str, str]) -> netrc.netrc | None:
    """Read `$NETRC`, else `~/.netrc`; None if there is none. Raises `BadConfig` for one that cannot be read."""
    path = Path(environment.get("NETRC") or "~/.netrc").expanduser()
    try:
        return netrc.netrc(path)
    except FileNotFoundError:
        return None
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as e:
        # Its own message may quote the file.
        line = f", line {e.lineno}" if isinstance(e, netrc.NetrcParseError) else ""
        raise BadConfig("the file with logins cannot be read", where=f"{path}{line}", fix="see `man netrc`") from None
