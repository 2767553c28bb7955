"""What a Python package index has of a package, as its simple API tells (PEP 503, 691, 700): above all its sources."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from pycomfy.adapters.io.http_client import check_status, local_path, make_client, read_body, retry
from pycomfy.adapters.python.uv_process import make_environment, run_uv
from pycomfy.core.lockfile.package_indexes import IndexConfig, strip_logins
from pycomfy.core.python.wheel_selection import Target, rank_tags
from pycomfy.errors import NetworkError

_JSON = "application/vnd.pypi.simple.v1+json"
JSON_AND_HTML = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MAX_PAGE = 64 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Sdist:
    """A source distribution. `wheel` says whether its version has a usable wheel too; `url` may hold a login."""

    version: Version
    filename: str
    url: str = field(repr=False)
    sha256: str
    requires_python: str
    wheel: bool


@dataclass(frozen=True)
class Offer:
    """A file that an index has. `uploaded` is None where the index does not tell."""

    filename: str
    url: str = field(repr=False)
    sha256: str
    requires_python: str = ""
    uploaded: datetime | None = None
    yanked: bool = False


def find_indexes(name: str, reach: IndexConfig, *, cache: bool = True) -> tuple[str, ...]:
    """The indexes that are asked for `name`, the first before the others, as uv would: by pycomfy.toml, by the
    environment, by uv's own configuration and by its default. Without `cache`, uv leaves nothing in its own."""
    if name in reach.reserved:
        return (reach.address(reach.reserved[name]),)
    with tempfile.TemporaryDirectory(prefix="pycomfy-uv-") as folder:
        Path(folder, "nothing.in").touch()
        arguments = ["--emit-index-url", "--no-deps", "nothing.in", *(() if cache else ("--no-cache",))]
        done = run_uv(arguments, Path(folder), make_environment(reach))
    text = done.decode() if isinstance(done, bytes) else ""
    found = re.findall(r"^--(extra-)?index-url (\S+)$", text, re.MULTILINE)
    return tuple(url for _, url in sorted(found, key=lambda pair: not pair[0]))


def list_sdists(name: str, indexes: Sequence[str], target: Target, as_of: datetime | None) -> list[Sdist]:
    """The source distributions of `name` that were uploaded before `as_of`, newest first: one for each version, without
    those that were withdrawn or refuse the target's Python. Of an index that tells no dates, all.

    Raises `NetworkError`.
    """
    for index in indexes:
        offers = _read_page(index, name)
        if offers:
            return _sdists(canonicalize_name(name), offers, target, as_of)
    return []


def _sdists(name: str, offers: Sequence[Offer], target: Target, as_of: datetime | None) -> list[Sdist]:
    dated = any(offer.uploaded is not None for offer in offers)
    usable: set[Version] = set()
    found: dict[Version, Offer] = {}
    for offer in offers:
        late = dated and as_of is not None and (offer.uploaded is None or offer.uploaded >= as_of)
        if late or offer.yanked or not _accepts(offer.requires_python, target):
            continue
        if offer.filename.endswith(".whl"):
            usable.update(_version_of_wheel(name, offer.filename, target))
            continue
        version = _version_of_sdist(name, offer.filename) if _SHA256.fullmatch(offer.sha256) else None
        # Of several for a version, a tarball before a zip file.
        if version is not None and (version not in found or offer.filename.endswith(".tar.gz")):
            found[version] = offer
    return [
        Sdist(version, o.filename, o.url, o.sha256, o.requires_python, version in usable)
        for version, o in sorted(found.items(), reverse=True)
    ]


def _accepts(specifiers: str, target: Target) -> bool:
    try:
        return SpecifierSet(specifiers).contains(target.python_full, prereleases=True)
    except InvalidSpecifier:
        return True


def _version_of_wheel(name: str, filename: str, target: Target) -> Iterator[Version]:
    try:
        its_name, version, _, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion):
        return
    if its_name == name and not rank_tags(target).keys().isdisjoint(tags):
        yield version


def _version_of_sdist(name: str, filename: str) -> Version | None:
    """The version in the name of a source distribution; older names have hyphens in the package's name."""
    try:
        its_name, version = parse_sdist_filename(filename)
    except (InvalidSdistFilename, InvalidVersion):
        return None
    return version if its_name == name else None


# — a page —


def _read_page(index: str, name: str) -> list[Offer]:
    """The files of a package; none if the index does not have it."""
    url = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    if local_path(url) is not None:
        return []

    def attempt() -> tuple[str, str, bytes]:
        with make_client() as client, client.stream("GET", url, headers={"Accept": JSON_AND_HTML}) as answer:
            if answer.status_code in (404, 410):
                return url, "", b""
            check_status(url, answer)
            data = read_body(url, answer, _MAX_PAGE)
            return str(answer.url), answer.headers.get("Content-Type", ""), data

    base, kind, data = retry(url, attempt)
    if not data:
        return []
    if "json" in kind:
        return list(_parse_json(data, base, url))
    return _parse_html(data.decode("utf-8", "replace"), base, url)


def _parse_json(data: bytes, base: str, index: str) -> Iterator[Offer]:
    try:
        files = json.loads(data)["files"]
    except (ValueError, RecursionError, KeyError, TypeError) as e:
        raise NetworkError("the index's answer is not what PEP 691 says", where=strip_logins(index), fix="") from e
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict):
            yield Offer(
                str(file.get("filename")),
                _absolute(str(file.get("url")), base, index),
                _text(file.get("hashes"), "sha256"),
                _text(file, "requires-python"),
                _moment(_text(file, "upload-time")),
                bool(file.get("yanked")),
            )


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _parse_html(text: str, base: str, index: str) -> list[Offer]:
    offers: list[Offer] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag != "a" or not given.get("href"):
                return
            url, _, fragment = _absolute(str(given["href"]), base, index).partition("#")
            offers.append(
                Offer(
                    unquote(urlsplit(url).path.rpartition("/")[2]),
                    url,
                    fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "",
                    given.get("data-requires-python") or "",
                    None,
                    "data-yanked" in given,
                )
            )

    Links().feed(text)
    return offers


def _absolute(url: str, base: str, index: str) -> str:
    """The URL of a file; on the index's own host it is asked for with the index's login."""
    whole = urljoin(base, url)
    try:
        there, here = urlsplit(whole), urlsplit(index)
    except ValueError:
        return whole
    if "@" in here.netloc and "@" not in there.netloc and there.netloc == here.netloc.rpartition("@")[2]:
        return urlunsplit(there._replace(netloc=here.netloc))
    return whole
