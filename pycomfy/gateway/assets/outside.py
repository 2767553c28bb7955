"""Connections to the outside: to the public internet only, whatever a name server says."""

import errno
import re
import socket
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from .addresses import Trusted, is_public
from .model import AssetError

MAX_URL = 8192
AGENT = "pycomfy-gateway"

_VALID = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")


class Forbidden(AssetError):
    """An address that nothing is fetched from."""


class FetchFailed(AssetError):
    """The other side did not give the file."""


@dataclass(frozen=True)
class Outside:
    """Where connections may go to. Times in seconds: for a connection, and between two pieces.

    Whether an address is public is decided for the very address that is connected to, each time: what a name server
    says to another question is of no importance. `given_tls` and `resolver` are for tests and for deployments with
    their own.
    """

    trusted: Trusted = field(default_factory=Trusted)
    allow_http: bool = False
    connect_timeout: float = 10
    read_timeout: float = 30
    given_tls: ssl.SSLContext | None = None
    resolver: AbstractResolver | None = None

    def parse(self, text: str) -> URL:
        """Raises `Forbidden`."""
        if len(text) > MAX_URL:
            raise Forbidden(f"an address has at most {MAX_URL} characters")
        try:
            url = as_written(text)
            port = url.port
        except ValueError as e:
            raise Forbidden(f"no valid address: {e}") from None
        if url.scheme != "https" and not (url.scheme == "http" and self.allow_http):
            raise Forbidden(f"only {'https or http' if self.allow_http else 'https'} addresses are taken here")
        if not url.host or port is None:
            raise Forbidden("the address has no host")
        if url.user is not None or url.password is not None:
            raise Forbidden("an address must not have a user or a password")
        return url.with_fragment(None)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self.given_tls or ssl.create_default_context()

    def session(self, url: URL) -> aiohttp.ClientSession:
        """One for each request: its sockets know for which host they are, and nothing is kept from one to another."""
        trusted = self.trusted.has_host(url.host or "", url.port)

        def make(info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
            family, kind, protocol, _, address = info
            host = str(address[0])
            if not (trusted or is_public(host) or self.trusted.has_address(host)):
                raise OSError(errno.EACCES, "not a public address")
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=self.resolver or aiohttp.ThreadedResolver(),
            use_dns_cache=False,
            force_close=True,
            socket_factory=make,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # neither proxies nor passwords of the environment
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.connect_timeout, sock_read=self.read_timeout),
        )

    def request(self, session: aiohttp.ClientSession, method: str, url: URL, **more: Any) -> "Exchange":
        """A request in a session for this URL; redirects are not followed."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": AGENT, **more.pop("headers", {})}
        return Exchange(session.request(method, url, allow_redirects=False, headers=headers, **more), url)


def as_written(text: str) -> URL:
    """The URL with its escapes as they are, which signatures in it may cover; put right where it is not quite one."""
    url = URL(text)
    if not _VALID.fullmatch(text):
        return url
    exact = URL(text, encoded=True)
    return exact if (exact.scheme, exact.raw_authority) == (url.scheme, url.raw_authority) else url


class Exchange:
    """A request that raises this module's errors."""

    def __init__(self, request: "aiohttp.client._RequestContextManager", url: URL) -> None:
        self._request = request
        self._url = url

    async def __aenter__(self) -> aiohttp.ClientResponse:
        host = self._url.host
        try:
            return await self._request.__aenter__()
        except aiohttp.InvalidURL:
            raise Forbidden("no valid address") from None
        except aiohttp.ClientConnectorCertificateError as e:
            raise FetchFailed(f"the certificate of {host} is not valid: {e.certificate_error}") from None
        except aiohttp.ClientSSLError:
            raise FetchFailed(f"no secure connection to {host}") from None
        except aiohttp.ClientConnectorError as e:
            if not _was_refused(e) and not _has_network():
                raise FetchFailed(f"{host} cannot be connected to: this gateway has no network") from None
            # The same words for a name that there is not: names of a private network are no public knowledge.
            if isinstance(e, aiohttp.ClientConnectorDNSError) or _was_refused(e):
                raise Forbidden(f"{host} is not known, or is no public address") from None
            raise FetchFailed(f"{host} cannot be connected to") from None
        except TimeoutError:
            raise FetchFailed(f"{host} did not answer in time") from None
        except (aiohttp.ClientError, ValueError, OSError):
            raise FetchFailed(f"{host} gave no answer that can be read") from None

    async def __aexit__(self, *about: object) -> None:
        await self._request.__aexit__(*about)  # type: ignore[arg-type]


def _has_network() -> bool:
    """Whether there is more than the loopback interface."""
    try:
        return any(name != "lo" for _, name in socket.if_nameindex())
    except OSError:
        return True


def _was_refused(error: aiohttp.ClientConnectorError) -> bool:
    # Of several addresses, aiohttp joins the texts of the errors.
    return error.os_error.errno == errno.EACCES or "not a public address" in str(error.os_error)
