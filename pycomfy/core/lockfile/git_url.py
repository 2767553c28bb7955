"""Parse addresses of git repositories: which ones git may be given, and which of them mean the same repository."""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from pycomfy.errors import BadConfig

SCHEMES = ("https", "ssh", "git", "file")

# Forges that ignore case in the names of owners and repositories.
_CASELESS = ("github.com", "gitlab.com", "codeberg.org", "bitbucket.org")

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_SCP = re.compile(rf"^(?:(?P<user>[A-Za-z0-9][\w.+-]*)@)?(?P<host>{_HOST}):(?![:/]{{2}})(?P<path>[^:\s]+)$")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True)
class GitUrl:
    """`url` is for git and may contain a password; `public` never does. Equal `identity` means the same repository.

    A `local` address is a path, absolute or relative to a folder that only the caller knows; its identity is the
    normalised path.
    """

    url: str
    public: str
    identity: str
    local: bool


def parse_git_url(text: str, *, where: str = "") -> GitUrl:
    """Parse the address of a git repository: an `https`, `ssh`, `git` or `file` URL, `user@host:path`, or a path.

    Raises `BadConfig` for anything else, above all for what git would take for an option or for a program to start.
    """

    def refuse(why: str) -> BadConfig:
        return BadConfig(
            f"{without_password(text)!r} is not the address of a git repository: {why}",
            where=where,
            fix="write an https:// or ssh:// URL, user@host:path, or the path of a local repository",
        )

    if not text or text.startswith("-"):
        raise refuse("it is empty or looks like an option")
    if len(text) > 2000 or (_FORBIDDEN.search(text) and "://" in text) or re.search(r"[\x00-\x1f\x7f]", text):
        raise refuse("it is too long, or has characters that no address has")
    if "://" in text:
        return _parse_url(text, refuse=refuse)
    if match := _SCP.match(text):
        if "/" not in text.split(":", 1)[0]:
            path = match["path"]
            return GitUrl(text, text, _identity(match["host"].lower(), path), local=False)
    elif "::" in text.split("/", 1)[0]:
        raise refuse("transport helpers start programs")
    return GitUrl(text, text, posixpath.normpath(text), local=True)


def _parse_url(text: str, *, refuse: Callable[[str], BadConfig]) -> GitUrl:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as e:
        raise refuse(str(e)) from e
    if parts.scheme not in SCHEMES:
        raise refuse(f"{parts.scheme or 'it'} is not one of {', '.join(SCHEMES)}")
    if parts.query or parts.fragment:
        raise refuse("it has a query or a fragment")
    if parts.scheme == "file":
        if host not in ("", "localhost") or not parts.path.startswith("/"):
            raise refuse("a file:// URL is file:///absolute/path")
        return GitUrl(text, text, posixpath.normpath(parts.path), local=True)
    if re.search(r"[\x00-\x1f\x7f]", unquote(parts.netloc)):
        raise refuse("its login has control characters")
    if not re.fullmatch(_HOST, host) or parts.path.strip("/") == "" or (parts.username or "").startswith("-"):
        raise refuse("it names no host or no repository")
    where = host if port is None or port == {"https": 443, "ssh": 22, "git": 9418}[parts.scheme] else f"{host}:{port}"
    return GitUrl(text, without_password(text), _identity(where, parts.path), local=False)


def without_password(url: str) -> str:
    """Return the URL without its password or token. The user name of ssh stays: it is part of the address, no
    secret."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.split("://", 1)[0] + "://…"
    if "@" not in parts.netloc:
        return url
    user, host = parts.netloc.rsplit("@", 1)
    login = user.split(":", 1)[0] + "@" if parts.scheme == "ssh" else ""
    return urlunsplit((parts.scheme, login + host, parts.path, parts.query, parts.fragment))


def split_revision(text: str) -> tuple[str, str | None]:
    """Split `URL@REVISION` into its two parts; the `@` of `user@host` does not separate them."""
    at = text.rfind("@")
    if at <= 0:
        return text, None
    start = text.find("://")
    if start >= 0:
        slash = text.find("/", start + 3)
        in_path = 0 <= slash < at
    else:
        # user@host:path@revision, or a path
        in_path = ":" not in text[at:] and not (":" in text and at < text.index(":"))
    return (text[:at], text[at + 1 :] or None) if in_path else (text, None)


def _identity(host: str, path: str) -> str:
    path = posixpath.normpath("/" + path.strip("/")).lstrip("/").removesuffix(".git").rstrip("/")
    return f"{host}/{path.lower() if host in _CASELESS else path}"
