"""Parse the address of a model: a Hugging Face file, a CivitAI version, or any URL."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pydantic import ValidationError

from pycomfy.core.lockfile.schema import CivitaiModel, HuggingFaceModel, ModelSource, UrlModel
from pycomfy.errors import BadInput

_HUGGINGFACE_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_CIVITAI_HOSTS = frozenset({"civitai.com", "www.civitai.com"})

_HUB_FILE = re.compile(
    r"/(?P<repository>(?:datasets/|spaces/)?[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?)"
    r"/(?:resolve|blob|raw)/(?P<revision>refs/(?:pr|convert)/[\w.-]+|[^/]+)/(?P<path>.+)",
    re.ASCII,
)
_SECRET = re.compile(r"token|secret|signature|credential|password|api_?key|^(key|sig|auth|x-amz-.*)$", re.IGNORECASE)
_MAX_CHARACTERS = 2000


@dataclass(frozen=True)
class Hubs:
    """The addresses of the two hubs, without a slash at the end: the real ones, or mirrors."""

    huggingface: str = "https://huggingface.co"
    civitai: str = "https://civitai.com"


@dataclass(frozen=True)
class HuggingFaceFile:
    """A file in a repository of Hugging Face. `revision` may be a branch, a tag or a commit."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True)
class CivitaiVersion:
    """A version of a model on CivitAI; the `query` selects one of its files."""

    version: int
    query: str = ""


@dataclass(frozen=True)
class WebFile:
    """A file at any other URL."""

    url: str


Origin = HuggingFaceFile | CivitaiVersion | WebFile


def parse_origin(url: str, hubs: Hubs) -> Origin:
    """Parse an address. The result, which may go into a lock, never contains a login or token. Raises `BadInput`."""
    plain = strip_secrets(url)
    try:
        parts = urlsplit(plain)
        host, _ = (parts.hostname or "").lower(), urlsplit(url).port
    except ValueError as e:
        raise _refuse(plain, str(e)) from e
    if len(url) > _MAX_CHARACTERS or parts.scheme not in ("https", "http") or not host or re.search(r"\s|\\", plain):
        raise _refuse(plain, "it is not a web address")
    if path := _below(plain, hubs.huggingface, _HUGGINGFACE_HOSTS):
        return _huggingface(plain, path)
    if path := _below(plain, hubs.civitai, _CIVITAI_HOSTS):
        return _civitai(plain, path, parts.query)
    try:
        return WebFile(UrlModel(url=plain.split("#", 1)[0]).url)
    except ValidationError as e:
        raise _refuse(plain, "it is not a web address") from e


def source_url(source: ModelSource, hubs: Hubs) -> str:
    """Return the address of a pinned model."""
    if isinstance(source, HuggingFaceModel):
        return f"{hubs.huggingface}/{source.repository}/resolve/{source.revision}/{quote(source.path)}"
    if isinstance(source, CivitaiModel):
        query = f"?{source.query}" if source.query else ""
        return f"{hubs.civitai}/api/download/models/{source.version}{query}"
    return source.url


def describe(source: ModelSource) -> str:
    """Return the origin of a model, for a person."""
    match source:
        case HuggingFaceModel():
            return f"{source.repository}@{source.revision[:8]}"
        case CivitaiModel():
            return f"civitai {source.version}"
        case UrlModel():
            return urlsplit(source.url).netloc


def strip_secrets(url: str) -> str:
    """Return the URL without a login, and without parameters with names of secrets."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return url.split("://", 1)[0] + "://…"
    public = [(key, value) for key, value in pairs if not _SECRET.search(key)]
    query = parts.query if len(public) == len(pairs) else urlencode(public)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, parts.fragment))


def _below(url: str, hub: str, hosts: frozenset[str]) -> str | None:
    """The path of the URL at a hub, by any of the hub's names; None if it is elsewhere."""
    parts = urlsplit(url)
    if url.startswith(hub + "/"):
        return urlsplit(url[len(hub) :]).path
    return parts.path if parts.hostname in hosts and parts.port in (None, 443) else None


def _huggingface(url: str, path: str) -> HuggingFaceFile:
    # An encoded slash is part of the revision (refs%2Fpr%2F1), not a separator.
    found = _HUB_FILE.fullmatch(path)
    if found is None:
        raise _refuse(url, "it does not name a file of a repository, as in …/resolve/main/FILE")
    try:
        pin = HuggingFaceModel(repository=found["repository"], revision="0" * 40, path=unquote(found["path"]))
    except ValidationError as e:
        raise _refuse(url, "the name of the repository or of the file is not valid") from e
    return HuggingFaceFile(pin.repository, unquote(found["revision"]), pin.path)


def _civitai(url: str, path: str, query: str) -> CivitaiVersion:
    values = dict(parse_qsl(query))
    if found := re.fullmatch(r"/api/download/models/([0-9]{1,12})/?", path):
        # The query distinguishes the files of a version.
        return CivitaiVersion(int(found[1]), query)
    version = values.get("modelVersionId", "")
    if path.startswith("/models/") and re.fullmatch(r"[0-9]{1,12}", version):
        return CivitaiVersion(int(version))
    raise _refuse(url, "it does not name a version of a model, as in …/models/1?modelVersionId=2")


def _refuse(url: str, why: str) -> BadInput:
    return BadInput(
        f"the model cannot be fetched from there: {why}", where=url[:200], fix="give the file's own address"
    )
