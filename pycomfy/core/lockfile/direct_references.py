"""Requirements that say where a package is instead of asking an index: git repositories, source archives, wheels."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from pycomfy.core.lockfile.git_url import parse_git_url, split_revision
from pycomfy.errors import BadConfig

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_PLACE = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://|git\+)")
_REVISION = re.compile(r"(?!.*\.\.)[^-\s~^:?*\[\\][^\s~^:?*\[\\]{0,199}")
_FOLDER = re.compile(r"[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]*(/[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]*)*")


@dataclass(frozen=True)
class DirectReference:
    """A package by its place. `name` is "" where only the package itself says it.

    `url` may hold a login. `subdirectory` is where the project is in its source; `sha256` what an archive or wheel must
    be, where that is said.
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
        """What to call it before its name is known: the end of its address."""
        end = urlsplit(self.url).path if "://" in self.url else self.url
        return self.name or re.sub(r"[^A-Za-z0-9._-]", "-", end.rstrip("/").rpartition("/")[2]).removesuffix(".git")

    def requirement(self, name: str) -> str:
        """The same without its place (PEP 508)."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{name}{extras}" + (f" ; {self.marker}" if self.marker else "")


def parse_direct_reference(text: str, *, from_user: bool) -> DirectReference | None:
    """A requirement with a place, as pip writes it: `name @ URL`, `git+URL@REVISION#egg=name`, or a plain URL; None for
    anything else.

    Raises `ValueError` for a place that is refused: what is no address, or where a stranger must not send this machine.
    With `from_user` the user wrote it, who may also name this machine's disk, and a server without encryption.
    """
    try:
        requirement = Requirement(text)
        if requirement.url is None:
            return None
        name, extras, marker, url = requirement.name, requirement.extras, requirement.marker, requirement.url
    except InvalidRequirement:
        if not _PLACE.match(text):
            return None
        url, _, rest = text.partition(" ")
        marker_text = rest.strip().removeprefix(";").strip()
        try:
            requirement = Requirement(f"x ; {marker_text}" if marker_text else "x")
        except InvalidRequirement as e:
            raise ValueError("what follows its URL is no marker") from e
        name, extras, marker = "", set(), requirement.marker
    place, _, fragment = url.partition("#")
    said = dict(parse_qsl(fragment))
    if not name and "egg" in said:
        name, extras = _egg(said["egg"])
    subdirectory = said.get("subdirectory")
    if subdirectory is not None and not _FOLDER.fullmatch(subdirectory):
        raise ValueError(f"{subdirectory!r} is no folder in it")
    direct = _locate(place, from_user)
    return DirectReference(
        direct.kind,
        direct.url,
        canonicalize_name(name) if name else direct.name,
        tuple(sorted(extras)),
        str(marker or ""),
        direct.revision,
        subdirectory,
        _sha256(said.get("sha256")),
    )


def _egg(text: str) -> tuple[str, set[str]]:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as e:
        raise ValueError(f"{text!r} is no name") from e
    return requirement.name, requirement.extras


def _sha256(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("its sha256 has not 64 hexadecimal digits")
    return text.lower() if text is not None else None


def _locate(place: str, from_user: bool) -> DirectReference:
    """The place without its fragment."""
    if place.startswith("git+"):
        url, revision = split_revision(place.removeprefix("git+"))
        try:
            local = parse_git_url(url).local
        except BadConfig as e:
            raise ValueError(e.what) from e
        if local and not (from_user and url.startswith("file://")):
            raise ValueError("it is on this machine's disk")
        if revision is not None and not _REVISION.fullmatch(revision):
            raise ValueError(f"{revision!r} is no branch, tag or commit")
        return DirectReference("git", url, revision=revision)
    parts = urlsplit(place)
    if not place.isprintable() or parts.scheme not in (("https", "http", "file") if from_user else ("https",)):
        raise ValueError("it comes neither from git nor over https")
    if parts.scheme != "file" and not parts.hostname:
        raise ValueError("its URL names no host")
    if "@" in parts.netloc:
        raise ValueError("its URL holds a login, which belongs into ~/.netrc")
    filename = unquote(parts.path.rpartition("/")[2])
    if filename.endswith(ARCHIVES):
        return DirectReference("archive", place)
    try:
        return DirectReference("wheel", place, parse_wheel_filename(filename)[0])
    except InvalidWheelFilename as e:
        raise ValueError(f"{filename[:100]!r} is neither a wheel nor a source archive") from e
