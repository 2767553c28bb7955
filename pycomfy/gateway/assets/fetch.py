"""Inputs by address: fetched from the public internet only, or unpacked from a data URI."""

import asyncio
import errno
import hashlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from .addresses import Trusted, is_public
from .data_uri import is_data_uri, parse_data_uri
from .model import Asset, AssetError, HashMismatch, NewAsset, TooLarge
from .store import AssetStore, Received

MAX_URL = 8192
_VALID = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_AGENT = "pycomfy-gateway"
_PIECE = 1 << 18


class Forbidden(AssetError):
    """An address that nothing is fetched from."""


class FetchFailed(AssetError):
    """The other side did not give the file."""


@dataclass(frozen=True)
class FetchPolicy:
    """What may be fetched. `limit` in bytes, after decompression; times in seconds: for all of it with its redirects,
    for a connection, and between two pieces."""

    limit: int
    trusted: Trusted = field(default_factory=Trusted)
    allow_http: bool = False
    max_redirects: int = 5
    timeout: float = 300
    connect_timeout: float = 10
    read_timeout: float = 30


class Fetcher:
    """Fetches inputs into the store.

    Whether an address is public is decided for the very address that is connected to, each time: what a name server
    says to another question is of no importance. `tls` and `resolver` are for tests and for deployments with their own.
    """

    def __init__(
        self,
        store: AssetStore,
        policy: FetchPolicy,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._given_tls = tls
        self._resolver = resolver

    async def fetch(self, url: str, new: NewAsset, *, sha256: str | None = None) -> Asset:
        """What is at an https URL, or in a data URI. `sha256` is in hexadecimal.

        What `new` says of type and name goes before what the other side says.
        Raises `Forbidden`, `FetchFailed`, `BadDataURI`, `TooLarge`, `HashMismatch`, `NoSpace`: nothing is kept.
        """
        if is_data_uri(url):
            return await self.read_data_uri(url, new, sha256=sha256)
        try:
            async with asyncio.timeout(self._policy.timeout):
                return (await self._follow(self._parse(url), new, sha256)).asset
        except TimeoutError:
            raise FetchFailed("the file did not come in time") from None

    async def read_data_uri(self, uri: str, new: NewAsset, *, sha256: str | None = None) -> Asset:
        """Raises `BadDataURI`, `TooLarge`, `HashMismatch`, `NoSpace`."""
        media_type, data = parse_data_uri(uri, self._policy.limit)
        _check(hashlib.sha256(data).hexdigest(), sha256)
        new = replace(new, content_type=new.content_type or media_type)
        return (await self._store.receive([data], new)).asset

    async def _follow(self, url: URL, new: NewAsset, sha256: str | None) -> Received:
        new = replace(new, file_path=new.file_path or url.name or None)
        for _ in range(self._policy.max_redirects + 1):
            async with self._session(url) as session, self._get(session, url) as response:
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    return await self._keep(response, new, sha256)
                url = self._next(url, response.headers["Location"])
        raise FetchFailed(f"more than {self._policy.max_redirects} redirects")

    def _parse(self, text: str) -> URL:
        if len(text) > MAX_URL:
            raise Forbidden(f"an address has at most {MAX_URL} characters")
        try:
            url = _as_written(text)
            port = url.port
        except ValueError as e:
            raise Forbidden(f"no valid address: {e}") from None
        if url.scheme != "https" and not (url.scheme == "http" and self._policy.allow_http):
            allowed = "http, https" if self._policy.allow_http else "https"
            raise Forbidden(f"inputs are fetched by {allowed}, and taken from data URIs")
        if not url.host or port is None:
            raise Forbidden("the address has no host")
        if url.user is not None or url.password is not None:
            raise Forbidden("an address must not have a user or a password")
        return url.with_fragment(None)

    def _next(self, url: URL, location: str) -> URL:
        try:
            joined = url.join(_as_written(location))
        except ValueError as e:
            raise FetchFailed(f"a redirect to no valid address: {e}") from None
        following = self._parse(str(joined))
        if url.scheme == "https" and following.scheme != "https":
            raise Forbidden("a redirect from https to http")
        return following

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or ssl.create_default_context()

    def _session(self, url: URL) -> aiohttp.ClientSession:
        """One for each request: its sockets know for which host they are, and nothing is kept from one to another."""
        policy = self._policy
        trusted = policy.trusted.has_host(url.host or "", url.port)

        def make(info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
            family, kind, protocol, _, address = info
            host = str(address[0])
            if not (trusted or is_public(host) or policy.trusted.has_address(host)):
                raise OSError(errno.EACCES, "not a public address")
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=self._resolver or aiohttp.ThreadedResolver(),
            use_dns_cache=False,
            force_close=True,
            socket_factory=make,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # neither proxies nor passwords of the environment
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=policy.connect_timeout, sock_read=policy.read_timeout
            ),
        )

    def _get(self, session: aiohttp.ClientSession, url: URL) -> "_Response":
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": _AGENT}
        return _Response(session.get(url, allow_redirects=False, headers=headers), url)

    async def _keep(self, response: aiohttp.ClientResponse, new: NewAsset, sha256: str | None) -> Received:
        if response.status != 200:
            raise FetchFailed(f"{response.url.host} answered {response.status}")
        if (response.content_length or 0) > self._policy.limit:
            raise TooLarge(f"more than the {self._policy.limit} bytes that are allowed")
        new = replace(new, content_type=new.content_type or response.headers.get("Content-Type"))
        return await self._store.receive(_pieces(response, sha256), new, limit=self._policy.limit)


def _as_written(text: str) -> URL:
    """The URL with its escapes as they are, which signatures in it may cover; put right where it is not quite one."""
    url = URL(text)
    if not _VALID.fullmatch(text):
        return url
    exact = URL(text, encoded=True)
    return exact if (exact.scheme, exact.raw_authority) == (url.scheme, url.raw_authority) else url


class _Response:
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
            # The same words for a name that there is not: names of a private network are no public knowledge.
            if isinstance(e, aiohttp.ClientConnectorDNSError) or _was_refused(e):
                raise Forbidden(f"{host} has no public address") from None
            raise FetchFailed(f"{host} cannot be connected to") from None
        except TimeoutError:
            raise FetchFailed(f"{host} did not answer in time") from None
        except (aiohttp.ClientError, ValueError, OSError):
            raise FetchFailed(f"{host} gave no answer that can be read") from None

    async def __aexit__(self, *about: object) -> None:
        await self._request.__aexit__(*about)  # type: ignore[arg-type]


def _was_refused(error: aiohttp.ClientConnectorError) -> bool:
    # Of several addresses, aiohttp joins the texts of the errors.
    return error.os_error.errno == errno.EACCES or "not a public address" in str(error.os_error)


async def _pieces(response: aiohttp.ClientResponse, sha256: str | None) -> AsyncIterator[bytes]:
    hasher = hashlib.sha256()
    try:
        async for piece in response.content.iter_chunked(_PIECE):
            if sha256 is not None:
                hasher.update(piece)
            yield piece
    except TimeoutError:
        raise FetchFailed("the file did not come in time") from None
    except (aiohttp.ClientError, OSError):
        raise FetchFailed(f"{response.url.host} did not send the whole file") from None
    _check(hasher.hexdigest(), sha256)


def _check(found: str, expected: str | None) -> None:
    if expected is not None and found != expected.lower():
        raise HashMismatch(f"the bytes have the sha256 {found}, not {expected[:64]}")
