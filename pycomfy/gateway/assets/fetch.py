"""Inputs by address: fetched from the public internet only, or unpacked from a data URI."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from .addresses import Trusted
from .data_uri import is_data_uri, parse_data_uri
from .model import Asset, HashMismatch, NewAsset, TooLarge
from .outside import FetchFailed, Forbidden, Outside, as_written
from .store import AssetStore, Received

__all__ = ["FetchFailed", "FetchPolicy", "Fetcher", "Forbidden"]

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PIECE = 1 << 18


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
    """Fetches inputs into the store. `tls` and `resolver` are for tests and for deployments with their own."""

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
        self._outside = Outside(
            policy.trusted, policy.allow_http, policy.connect_timeout, policy.read_timeout, tls, resolver
        )

    async def fetch(self, url: str, new: NewAsset, *, sha256: str | None = None) -> Asset:
        """What is at an https URL, or in a data URI. `sha256` is in hexadecimal.

        What `new` says of type and name goes before what the other side says.
        Raises `Forbidden`, `FetchFailed`, `BadDataURI`, `TooLarge`, `HashMismatch`, `NoSpace`: nothing is kept.
        """
        if is_data_uri(url):
            return await self.read_data_uri(url, new, sha256=sha256)
        try:
            async with asyncio.timeout(self._policy.timeout):
                return (await self._follow(self._outside.parse(url), new, sha256)).asset
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
            async with self._outside.session(url) as session, self._outside.request(session, "GET", url) as response:
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    return await self._keep(response, new, sha256)
                url = self._next(url, response.headers["Location"])
        raise FetchFailed(f"more than {self._policy.max_redirects} redirects")

    def _next(self, url: URL, location: str) -> URL:
        try:
            joined = url.join(as_written(location))
        except ValueError as e:
            raise FetchFailed(f"a redirect to no valid address: {e}") from None
        following = self._outside.parse(str(joined))
        if url.scheme == "https" and following.scheme != "https":
            raise Forbidden("a redirect from https to http")
        return following

    async def _keep(self, response: aiohttp.ClientResponse, new: NewAsset, sha256: str | None) -> Received:
        if response.status != 200:
            raise FetchFailed(f"{response.url.host} answered {response.status}")
        if (response.content_length or 0) > self._policy.limit:
            raise TooLarge(f"more than the {self._policy.limit} bytes that are allowed")
        new = replace(new, content_type=new.content_type or response.headers.get("Content-Type"))
        return await self._store.receive(_pieces(response, sha256), new, limit=self._policy.limit)


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
