"""List what a Python package index has of a package, by its simple API (PEP 503, 691, 700): above all sdists."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from pycomfy.adapters.io.http_client import check_status, local_path, make_client, read_body, retry
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.python.uv_process import make_environment, run_uv
from pycomfy.core.lockfile.package_indexes import IndexConfig, strip_logins
from pycomfy.core.python.index_files import IndexFile
from pycomfy.core.python.specifiers import parse_specifiers
from pycomfy.core.python.wheel_selection import Target, rank_tags
from pycomfy.errors import NetworkError

_JSON = "application/vnd.pypi.simple.v1+json"
JSON_AND_HTML = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MAX_PAGE = 64 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Sdist:
    """A source distribution. `wheel` says whether its version has a usable wheel too; `url` may contain a login."""

    version: Version
    filename: str
    url: str = field(repr=False)
    sha256: str
    requires_python: str
    wheel: bool


@dataclass(frozen=True)
class ListedFile:
    """A file in an index. `uploaded` is None if the index does not say when that was."""

    filename: str
    url: str = field(repr=False)
    sha256: str
    requires_python: str = ""
    uploaded: datetime | None = None
    yanked: bool = False


def find_indexes(name: str, index_config: IndexConfig, *, cache: bool = True) -> tuple[str, ...]:
    """Return the URLs of the indexes to ask for `name`, in uv's order: those of pycomfy.toml, of the environment, of
    uv's own configuration, and uv's default. Without `cache`, uv leaves nothing in its own."""
    if name in index_config.reserved:
        return (index_config.address(index_config.reserved[name]),)
    with scratch_folder() as folder:
        Path(folder, "nothing.in").touch()
        arguments = ["--emit-index-url", "--no-deps", "nothing.in", *(() if cache else ("--no-cache",))]
        outcome = run_uv(arguments, Path(folder), make_environment(index_config))
    text = outcome.decode() if isinstance(outcome, bytes) else ""
    found = re.findall(r"^--(extra-)?index-url (\S+)$", text, re.MULTILINE)
    return tuple(url for _, url in sorted(found, key=lambda pair: not pair[0]))


def list_sdists(name: str, indexes: Sequence[str], target: Target, as_of: datetime | None) -> list[Sdist]:
    """Return the sdists of `name` that were uploaded before `as_of`, newest first: one for each version, without those
    that were withdrawn or do not support the target's Python. If the index has no dates, all.

    Raises `NetworkError`.
    """
    for index in indexes:
        files = _read_page(index, name)
        if files:
            return choose_sdists(canonicalize_name(name), files, target, as_of)
    return []


def list_files(name: str, indexes: Sequence[str], as_of: datetime | None) -> list[IndexFile]:
    """Return the files of `name` that were uploaded before `as_of`, without those that were withdrawn, as the first
    index has them that knows the package. Raises `NetworkError`."""
    files = next((found for index in indexes if (found := _read_page(index, name))), [])
    dated = any(file.uploaded is not None for file in files) and as_of is not None
    return [
        IndexFile(file.filename, file.requires_python)
        for file in files
        if not file.yanked and not (dated and (file.uploaded is None or as_of is None or file.uploaded >= as_of))
    ]


def choose_sdists(name: str, files: Sequence[ListedFile], target: Target, as_of: datetime | None) -> list[Sdist]:
    """Return the usable sdists among the files of a package, as `list_sdists` does."""
    dated = any(file.uploaded is not None for file in files)
    with_wheel: set[Version] = set()
    found: dict[Version, ListedFile] = {}
    for file in files:
        late = dated and as_of is not None and (file.uploaded is None or file.uploaded >= as_of)
        if late or file.yanked or not _supports(file.requires_python, target):
            continue
        if file.filename.endswith(".whl"):
            with_wheel.update(_wheel_version(name, file.filename, target))
            continue
        version = _sdist_version(name, file.filename) if _SHA256.fullmatch(file.sha256) else None
        # Of several for a version, a tarball before a zip file.
        if version is not None and (version not in found or file.filename.endswith(".tar.gz")):
            found[version] = file
    return [
        Sdist(version, file.filename, file.url, file.sha256, file.requires_python, version in with_wheel)
        for version, file in sorted(found.items(), reverse=True)
    ]


def _supports(specifiers: str, target: Target) -> bool:
    accepted = parse_specifiers(specifiers)
    return accepted is None or accepted.contains(target.python_full, prereleases=True)


def _wheel_version(name: str, filename: str, target: Target) -> Iterator[Version]:
    try:
        package, version, _, tags = parse_wheel_filename(filename)
    except ValueError:
        return
    if package == name and not rank_tags(target).keys().isdisjoint(tags):
        yield version


def _sdist_version(name: str, filename: str) -> Version | None:
    """Return the version in the name of an sdist, in which older ones have hyphens; None if it is of another
    package."""
    try:
        package, version = parse_sdist_filename(filename)
    except ValueError:
        return None
    return version if package == name else None


# — a page —


def _read_page(index: str, name: str) -> list[ListedFile]:
    """Return the files of a package; none if the index does not have it."""
    url = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    if local_path(url) is not None:
        return []

    def attempt() -> tuple[str, str, bytes]:
        with make_client() as client, client.stream("GET", url, headers={"Accept": JSON_AND_HTML}) as response:
            if response.status_code in (404, 410):
                return url, "", b""
            check_status(url, response)
            data = read_body(url, response, _MAX_PAGE)
            return str(response.url), response.headers.get("Content-Type", ""), data

    base, kind, data = retry(url, attempt)
    if not data:
        return []
    if "json" in kind:
        return list(parse_json_page(data, base, url))
    return parse_html_page(data.decode("utf-8", "replace"), base, url)


def parse_json_page(data: bytes, base: str, index: str) -> Iterator[ListedFile]:
    """Yield the files of a JSON page (PEP 691), whose own URL is `base`. Raises `NetworkError` for another form."""
    try:
        files = json.loads(data)["files"]
    except (ValueError, RecursionError, KeyError, TypeError) as e:
        raise NetworkError("the index's answer is not as in PEP 691", where=strip_logins(index)) from e
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict) and (url := _absolute(str(file.get("url")), base, index)):
            yield ListedFile(
                str(file.get("filename")),
                url,
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


def parse_html_page(text: str, base: str, index: str) -> list[ListedFile]:
    """Return the files of an HTML page (PEP 503)."""
    files: list[ListedFile] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            attributes = dict(attrs)
            if tag != "a" or not attributes.get("href"):
                return
            absolute = _absolute(str(attributes["href"]), base, index)
            if absolute is None:
                return
            url, _, fragment = absolute.partition("#")
            files.append(
                ListedFile(
                    unquote(urlsplit(url).path.rpartition("/")[2]),
                    url,
                    fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "",
                    attributes.get("data-requires-python") or "",
                    None,
                    "data-yanked" in attributes,
                )
            )

    Links().feed(text)
    return files


def _absolute(url: str, base: str, index: str) -> str | None:
    """Return the absolute URL of a file, on the index's own host with the index's login; None for what is no URL."""
    try:
        absolute = urljoin(base, url)
        target, source = urlsplit(absolute), urlsplit(index)
    except ValueError:
        return None
    if "@" in source.netloc and "@" not in target.netloc and target.netloc == source.netloc.rpartition("@")[2]:
        return urlunsplit(target._replace(netloc=source.netloc))
    return absolute
