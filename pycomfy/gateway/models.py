"""The models that the workflow's lock pins: whether they are there, and how they get there."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from .launch import MODEL_TOKENS

log = logging.getLogger(__name__)

PIECE = 1 << 20
TRIES = 5
RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504))
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=120)


@dataclass(frozen=True)
class Model:
    """A model of the lock; `location` is its path below the folder of models, `size` in bytes."""

    location: str
    sha256: str
    size: int | None
    sources: tuple[Mapping[str, Any], ...]


def read_models(lock: Mapping[str, Any]) -> list[Model]:
    """The models of a lock. What has not the form of one, or a path that leads elsewhere, is left out."""
    found = []
    listed = lock.get("models")
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, Mapping):
            continue
        location, size, sources = f"{entry.get('folder')}/{entry.get('name')}", entry.get("size"), entry.get("sources")
        path = PurePosixPath(location)
        if path.is_absolute() or ".." in path.parts or "\0" in location:
            continue
        found.append(
            Model(
                location,
                str(entry.get("sha256")),
                size if isinstance(size, int) else None,
                tuple(s for s in sources if isinstance(s, Mapping)) if isinstance(sources, list) else (),
            )
        )
    return found


def find_missing(models: list[Model], folder: Path) -> list[Model]:
    """Those that are not below `folder`, or have another size. Contents are not read: that takes minutes."""
    return [model for model in models if not _is_there(model, folder)]


def _is_there(model: Model, folder: Path) -> bool:
    try:
        path = folder / model.location
        return path.is_file() and (model.size is None or path.stat().st_size == model.size)
    except OSError:
        return False


def source_url(source: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """The address of a source of the lock; None if it has none."""
    match source.get("kind"):
        case "huggingface":
            hub = (environment.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
            path = quote(str(source.get("path")))
            return f"{hub}/{source.get('repository')}/resolve/{source.get('revision')}/{path}"
        case "civitai":
            hub = (environment.get("PYCOMFY_CIVITAI_ENDPOINT") or "https://civitai.com").rstrip("/")
            query = f"?{source['query']}" if source.get("query") else ""
            return f"{hub}/api/download/models/{source.get('version')}{query}"
        case "url":
            return str(source.get("url"))
    return None


def find_token(source: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """The token for the hub of a source; other addresses get none."""
    names = MODEL_TOKENS.get(str(source.get("kind")), ())
    return next((environment[name] for name in names if environment.get(name)), None)


class FetchFailed(Exception):
    """A model could not be fetched; the message says why, for each address."""


@dataclass
class ModelFetcher:
    """Fetches missing models into `folder`, one after another; `state` says what it does."""

    folder: Path
    environment: Mapping[str, str]
    state: str = ""
    failures: dict[str, str] = field(default_factory=dict)

    async def fetch(self, missing: list[Model]) -> None:
        """Fetch each; one that fails is told in `failures`, and does not keep the others from coming."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            for model in missing:
                try:
                    await self._fetch(session, model)
                    self.failures.pop(model.location, None)
                    log.info("model %s is there", model.location)
                except FetchFailed as e:
                    self.failures[model.location] = str(e)
                    log.error("model %s cannot be fetched: %s", model.location, e)
        self.state = ""

    async def _fetch(self, session: aiohttp.ClientSession, model: Model) -> None:
        if not model.sources:
            raise FetchFailed("the lock has no address of it: put the file into the folder that is mounted as /models")
        told = []
        for source in model.sources:
            url = source_url(source, self.environment)
            if url is None:
                continue
            for attempt in range(TRIES):
                try:
                    await self._download(session, model, url, find_token(source, self.environment))
                    return
                except (aiohttp.ClientError, TimeoutError, OSError, FetchFailed) as e:
                    last = f"{urlsplit(url).hostname}: {e or type(e).__name__}"
                    if not _is_passing(e) or attempt == TRIES - 1:
                        told.append(last)
                        break
                    await asyncio.sleep(min(2**attempt, 30))
        raise FetchFailed("; ".join(told) or "the lock has no address of it")

    async def _download(self, session: aiohttp.ClientSession, model: Model, url: str, token: str | None) -> None:
        """Continue what is there of it, verify it, and put it in its place."""
        target = self.folder / model.location
        part = target.with_name(f".{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if token:
            # aiohttp drops it when a redirect leads to another host.
            headers["Authorization"] = f"Bearer {token}"
        async with session.get(url, headers=headers) as answer:
            if answer.status == 416 and have:
                part.unlink()
                raise FetchFailed("what was there of it is longer than the file: it begins again")
            if answer.status >= 400:
                raise _Status(answer.status)
            place = str(answer.headers.get("Content-Range", ""))
            continued = answer.status == 206 and place.startswith(f"bytes {have}-")
            done = have if continued else 0
            with part.open("ab" if continued else "wb") as file:
                async for piece in answer.content.iter_chunked(PIECE):
                    await asyncio.to_thread(file.write, piece)
                    done += len(piece)
                    self.state = f"fetching {model.location}: {_share(done, model.size)}"
                    if model.size is not None and done > model.size:
                        break
        self.state = f"verifying {model.location}"
        digest = await asyncio.to_thread(_sha256, part)
        if digest != model.sha256:
            if model.size is not None and part.stat().st_size < model.size:
                raise aiohttp.ClientPayloadError("it ended early")
            part.unlink()
            raise FetchFailed("the bytes are not those that the lock pins (SHA-256)")
        part.replace(target)


class _Status(FetchFailed):
    def __init__(self, status: int) -> None:
        reasons = {401: ": a token is needed", 403: ": the token may not read it", 404: ": it is not there"}
        super().__init__(f"HTTP {status}{reasons.get(status, '')}")
        self.status = status


def _is_passing(error: Exception) -> bool:
    if isinstance(error, _Status):
        return error.status in RETRIED
    return not isinstance(error, FetchFailed) or "begins again" in str(error)


def _share(done: int, size: int | None) -> str:
    return f"{done >> 20} MiB" if not size else f"{done >> 20} of {size >> 20} MiB"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
