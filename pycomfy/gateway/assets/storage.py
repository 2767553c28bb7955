"""Where a deployment wants its outputs, besides here: an S3 bucket, or addresses that take HTTP PUT."""

import asyncio
import hashlib
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from .model import Asset, AssetError

if TYPE_CHECKING:
    from aiohttp_s3_client import S3Client

TRIES = 4
PAUSE = 0.5
"""Seconds before the second try, about; twice as many before each further one."""

WHOLE = 16 << 20
"""Bytes up to which a file is sent to S3 in one piece."""

_PART = 8 << 20
_AT_ONCE = 3
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class StorageFailed(AssetError):
    """A file could not be put there. It is still kept here."""


class _Passing(Exception):
    """Something that may be over at the next try."""


class Storage(Protocol):
    """A place for outputs. One is used from one event loop, and closed at its end."""

    async def put(self, path: Path, asset: Asset, name: str) -> str:
        """Put the bytes at `path` there, and return their address, which has no secrets. Raises `StorageFailed`."""

    async def close(self) -> None: ...


def make_storage(setting: str, environment: Mapping[str, str], *, token: str = "") -> Storage | None:
    """The storage of a setting, None for an empty one: `s3://BUCKET/PREFIX`, with the AWS_… variables of other tools,
    or an address with `{name}` (and `{job}`, `{hash}`), to which `token` is sent as a bearer.

    Raises `ValueError`, which says what is missing.
    """
    if not setting:
        return None
    scheme = setting.partition("://")[0]
    if scheme == "s3":
        return S3Storage(_parse_s3(setting, environment))
    if scheme in ("http", "https"):
        return HttpStorage(setting, token)
    raise ValueError("a storage is s3://BUCKET/PREFIX, or an https address with {name} in it")


def make_key(asset: Asset, name: str) -> str:
    """`JOB/HASH-NAME`: plain characters only, one key for the same output of the same job however often it is put, and
    another for another, even of the same name."""
    return f"{_plain(asset.job or 'files')}/{_make_name(asset, name)}"


def _make_name(asset: Asset, name: str) -> str:
    return f"{asset.hash.removeprefix('blake3:')[:12]}-{_plain(name)}"


def _plain(text: str) -> str:
    return _PLAIN.sub("_", text)[-100:].lstrip(".") or "_"


# — S3 —


@dataclass(frozen=True)
class S3Settings:
    """`endpoint` is the address of the bucket."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    key_id: str
    secret: str
    session_token: str | None


def _parse_s3(setting: str, environment: Mapping[str, str]) -> S3Settings:
    bucket, _, prefix = setting.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("a storage in S3 is s3://BUCKET/PREFIX")
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not environment.get(name)]
    if missing:
        raise ValueError(f"a storage in S3 needs {' and '.join(missing)}")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    given = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    if given:
        endpoint = f"{given.rstrip('/')}/{bucket}"
    elif "." in bucket:  # no certificate fits such a name
        endpoint = f"https://s3.{region}.amazonaws.com/{bucket}"
    else:
        endpoint = f"https://{bucket}.s3.{region}.amazonaws.com"
    return S3Settings(
        bucket,
        "/".join(_plain(part) for part in prefix.split("/") if part),
        endpoint,
        region,
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment.get("AWS_SESSION_TOKEN") or None,
    )


class S3Storage:
    """Large files go in parts; what was begun and failed is removed there."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._client: S3Client | None = None
        self._tries = _Tries()

    async def put(self, path: Path, asset: Asset, name: str) -> str:
        key = "/".join(filter(None, (self._settings.prefix, make_key(asset, name))))
        await self._tries.run(lambda: self._put(path, asset, key))
        return f"s3://{self._settings.bucket}/{key}"

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _connect(self) -> "S3Client":
        from aiohttp_s3_client import S3Client

        if self._client is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True)
            self._client = S3Client(
                self._session,
                settings.endpoint,
                access_key_id=settings.key_id,
                secret_access_key=settings.secret,
                session_token=settings.session_token,
                region=settings.region,
            )
        return self._client

    async def _put(self, path: Path, asset: Asset, key: str) -> None:
        from aiohttp_s3_client.client import AwsError

        client = self._connect()
        headers = {"Content-Type": asset.content_type}
        if asset.size <= WHOLE:
            data = await asyncio.to_thread(path.read_bytes)
            sha256 = hashlib.sha256(data).hexdigest()
            sent = client.put(key, data, headers=headers, content_sha256=sha256, allow_redirects=False)
            async with sent as response:
                _judge(response.status, await response.text())
            return
        try:
            await client.put_file_multipart(
                key, path, headers=headers, part_size=_PART, workers_count=_AT_ONCE, part_upload_tries=2
            )
        except AwsError as e:
            _judge(e.status, e.message)


# — HTTP PUT —


class HttpStorage:
    def __init__(self, template: str, token: str) -> None:
        if "{name}" not in template:
            raise ValueError("an address of a storage has {name} in it, such as https://files.example/{job}/{name}")
        try:
            example = URL(_fill(template, job="j", name="n", digest="h"))
        except (ValueError, KeyError, IndexError) as e:
            raise ValueError(f"the address of the storage is not valid: {e}") from None
        if not example.host:
            raise ValueError("the address of the storage has no host")
        self._template = template
        self._tries = _Tries()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def put(self, path: Path, asset: Asset, name: str) -> str:
        job, digest = _plain(asset.job or "files"), asset.hash.removeprefix("blake3:")
        url = URL(_fill(self._template, job=job, name=_make_name(asset, name), digest=digest))
        await self._tries.run(lambda: self._put(url, path, asset))
        return str(url.with_user(None).with_query(None).with_fragment(None))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _put(self, url: URL, path: Path, asset: Asset) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True, cookie_jar=aiohttp.DummyCookieJar())
        headers = {**self._headers, "Content-Type": asset.content_type}
        with await asyncio.to_thread(path.open, "rb") as f:
            async with self._session.put(url, data=f, headers=headers, allow_redirects=False) as response:
                _judge(response.status, await response.text(errors="replace"))


def _fill(template: str, *, job: str, name: str, digest: str) -> str:
    # No `format`: its fields reach into objects.
    for field, value in (("{job}", job), ("{name}", name), ("{hash}", digest)):
        template = template.replace(field, quote(value, safe=""))
    return template


# — tries —


def _judge(status: int, text: str) -> None:
    """Raises `_Passing` for what may be over soon, `StorageFailed` for what will stay."""
    if 200 <= status < 300:
        return
    said = re.search(r"<Code>(\w{1,60})</Code>", text)
    what = f"the storage answered {status}{f' ({said[1]})' if said else ''}"
    raise _Passing(what) if status >= 500 or status in (408, 425, 429) else StorageFailed(what)


@dataclass
class _Tries:
    """Tries of one storage. While it is out of order each file gets one: jobs must not wait for it again and again."""

    failed: bool = False

    async def run(self, put: Callable[[], Awaitable[None]]) -> None:
        """Raises `StorageFailed`."""
        tries = 1 if self.failed else TRIES
        for attempt in range(tries):
            try:
                await put()
                self.failed = False
                return
            except (_Passing, aiohttp.ClientError, TimeoutError, OSError) as e:
                if attempt == tries - 1:
                    self.failed = True
                    # Texts of errors name addresses, which may have secrets in them.
                    why = str(e) if isinstance(e, _Passing) else f"the storage cannot be used ({type(e).__name__})"
                    raise StorageFailed(f"{why}{f', {tries} times' if tries > 1 else ''}") from e
            await asyncio.sleep(PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  (no secret)
