"""Parse direct references: requirements that name a git repository, a source archive or a wheel instead of an index."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from pycomfy.core.lockfile.git_url import parse_git_url, split_revision
from pycomfy.errors import BadConfig

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://|git\+)")
_REVISION = re.compile(r"(?!.*\.\.)[^-\s~^:?*\[\\][^\s~^:?*\[\\]{0,199}")
_FOLDER = re.compile(r"[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]*(/[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]*)*")


@dataclass(frozen=True)
class DirectReference:
    """A package by its URL. `name` is "" where only the package itself says it.

    `url` may contain a login. `subdirectory` is where the project is in its source; `sha256` is the hash that an
    archive or wheel must have, where the requirement gives one.
    """

    kind: Literal["git", "archive", "wheel"]
    url: str = field(repr=False)
    name: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    revision: str | None = None
    subdirectory: str | None = None
    sha256: str | None = None

    @property
    def label(self) -> str:
        """A name for it while its own is not known: the end of its URL."""
        end = urlsplit(self.url).path if "://" in self.url else self.url
        return self.name or re.sub(r"[^A-Za-z0-9._-]", "-", end.rstrip("/").rpartition("/")[2]).removesuffix(".git")

    def requirement(self, name: str) -> str:
        """Return the requirement without the URL (PEP 508)."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{name}{extras}" + (f" ; {self.marker}" if self.marker else "")


def parse_direct_reference(text: str, *, from_user: bool) -> DirectReference | None:
    """Parse a requirement with a URL, as pip writes it: `name @ URL`, `git+URL@REVISION#egg=name`, or a plain URL;
    return None for anything else.

    Raises `ValueError` for a URL that is refused: one that is malformed, or that an untrusted file must not make this
    machine open. With `from_user` the user wrote it, who may also name local files, and servers without encryption.
    """
    text = _separate_marker(text)
    try:
        requirement = Requirement(text)
        if requirement.url is None:
            return None
        name, extras, marker, url = requirement.name, requirement.extras, requirement.marker, requirement.url
    except ValueError:
        if not _URL.match(text):
            return None
        url, _, rest = text.partition(" ")
        marker_text = rest.strip().removeprefix(";").strip()
        try:
            requirement = Requirement(f"x ; {marker_text}" if marker_text else "x")
        except ValueError as e:
            raise ValueError("the text after its URL is not a marker") from e
        name, extras, marker = "", set(), requirement.marker
    location, _, fragment = url.partition("#")
    options = dict(parse_qsl(fragment))
    if not name and "egg" in options:
        name, extras = _parse_egg(options["egg"])
    subdirectory = options.get("subdirectory")
    if subdirectory is not None and not _FOLDER.fullmatch(subdirectory):
        raise ValueError(f"{subdirectory!r} is not a folder in it")
    located = _parse_location(location, from_user)
    return DirectReference(
        located.kind,
        located.url,
        canonicalize_name(name) if name else located.name,
        tuple(sorted(extras)),
        str(marker or ""),
        located.revision,
        subdirectory,
        _parse_sha256(options.get("sha256")),
    )


def _separate_marker(text: str) -> str:
    """Return a requirement with a URL so that a space is before the semicolon of its marker: PEP 508 demands one, pip
    does not."""
    if "://" not in text:
        return text
    for semicolon in re.finditer(";", text):
        head, marker = text[: semicolon.start()].rstrip(), text[semicolon.end() :].strip()
        try:
            Marker(marker)
        except ValueError:
            continue
        return f"{head} ; {marker}"
    return text


def _parse_egg(text: str) -> tuple[str, set[str]]:
    try:
        requirement = Requirement(text)
    except ValueError as e:
        raise ValueError(f"{text!r} is not a name") from e
    return requirement.name, requirement.extras


def _parse_sha256(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("its sha256 does not have 64 hexadecimal digits")
    return text.lower() if text is not None else None


def _parse_location(location: str, from_user: bool) -> DirectReference:
    """Parse a URL without its fragment."""
    if location.startswith("git+"):
        url, revision = split_revision(location.removeprefix("git+"))
        try:
            local = parse_git_url(url).local
        except BadConfig as e:
            raise ValueError(e.what) from e
        if local and not (from_user and url.startswith("file://")):
            raise ValueError("it is on this machine's disk")
        if revision is not None and not _REVISION.fullmatch(revision):
            raise ValueError(f"{revision!r} is not a branch, tag or commit")
        return DirectReference("git", url, revision=revision)
    parts = urlsplit(location)
    if not location.isprintable() or parts.scheme not in (("https", "http", "file") if from_user else ("https",)):
        raise ValueError("it comes neither from git nor over https")
    if parts.scheme != "file" and not parts.hostname:
        raise ValueError("its URL names no host")
    if "@" in parts.netloc:
        raise ValueError("its URL contains a login: put it into ~/.netrc")
    filename = unquote(parts.path.rpartition("/")[2])
    if filename.endswith(ARCHIVES):
        return DirectReference("archive", location)
    try:
        return DirectReference("wheel", location, parse_wheel_filename(filename)[0])
    except ValueError as e:
        raise ValueError(f"{filename[:100]!r} is neither a wheel nor a source archive") from e
