"""Find mirrors of Debian: those the user names, else those of this machine's own apt."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pycomfy.adapters.io.http_client import without_login
from pycomfy.errors import BadConfig

MAIN = "PYCOMFY_DEBIAN_MIRROR"
SECURITY = "PYCOMFY_DEBIAN_SECURITY_MIRROR"
SNAPSHOT = "PYCOMFY_DEBIAN_SNAPSHOT_MIRROR"
APT = Path("/etc/apt")

_RELEASES = ("bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable", "bullseye")
"""The names of Debian's suites; Ubuntu and vendors have other ones."""


@dataclass(frozen=True)
class Mirrors:
    """The URLs of Debian and of its security updates, without a slash at the end."""

    main: str
    security: str


@dataclass(frozen=True)
class AptSource:
    """One entry of apt's configuration."""

    uri: str
    suites: tuple[str, ...]


def find_mirrors(
    main: str | None,
    security: str | None,
    *,
    suite: str,
    environment: Mapping[str, str] = os.environ,
    apt: Path = APT,
) -> Mirrors:
    """Return the mirrors for `suite`. pycomfy.toml's `main` and `security` go first, then the environment, then apt.

    Raises `BadConfig` if there is none; no server is built in.
    """
    sources = list(read_sources(apt))
    main = main or environment.get(MAIN) or _pick(sources, suite, "")
    security = security or environment.get(SECURITY) or _pick(sources, suite, "-security")
    return Mirrors(_checked(main, MAIN, "mirror"), _checked(security, SECURITY, "security-mirror"))


def find_snapshot(template: str | None, moment: str, environment: Mapping[str, str] = os.environ) -> Mirrors:
    """Return the mirrors as they were at `moment` (`20251205T000000Z`), on a server that keeps old states as Debian's
    own snapshot service does: `ARCHIVE/TIME` below `template`, or in place of the `{archive}` and `{time}` in it.

    pycomfy.toml's `template` goes before the environment. Raises `BadConfig` without one; no server is built in.
    """
    url = template or environment.get(SNAPSHOT)
    if not url:
        raise BadConfig(
            "no server is known that has snapshots of Debian",
            where="snapshot, below [debian] in pycomfy.toml",
            fix=f'set {SNAPSHOT}, or snapshot-mirror below [debian], to one: "https://HOST/archive"',
        )
    if "{time}" not in url:
        url = url.rstrip("/") + "/{archive}/{time}"
    url = url.replace("{time}", moment)
    return Mirrors(
        _checked(url.replace("{archive}", "debian"), SNAPSHOT, "snapshot-mirror"),
        _checked(url.replace("{archive}", "debian-security"), SNAPSHOT, "snapshot-mirror"),
    )


def _checked(url: str | None, variable: str, key: str) -> str:
    fix = f"set {variable}, or `{key}` below [debian] in pycomfy.toml, to a mirror of Debian"
    if not url:
        raise BadConfig("no mirror of Debian is known: this machine's apt names none", where=key, fix=fix)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("https", "http", "file") and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise BadConfig(f"not the address of a mirror: {without_login(url)[:200]}", where=key, fix=fix)
    if "@" in parts.netloc:
        # It would be in every lock, and every lock is in git.
        raise BadConfig("the address of a mirror must not hold a login", where=key, fix="put the login into ~/.netrc")
    return url.rstrip("/")


def _pick(sources: list[AptSource], suite: str, suffix: str) -> str | None:
    """Return the URL that has the suite itself, else one that has another release of Debian, and so all of them."""
    exact = (s.uri for s in sources if suite + suffix in s.suites)
    others = (s.uri for s in sources if any(r + suffix in s.suites for r in _RELEASES))
    return next(exact, None) or next(others, None)


def read_sources(apt: Path) -> Iterator[AptSource]:
    """Yield the entries of apt's configuration (sources.list(5)) for binary packages from the web or a disk."""
    for path in sorted(
        [apt / "sources.list", *apt.glob("sources.list.d/*.list"), *apt.glob("sources.list.d/*.sources")]
    ):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # not there, or not for everybody to read: apt's other files are enough
        yield from _parse_deb822(text) if path.suffix == ".sources" else _parse_lines(text)


def _parse_lines(text: str) -> Iterator[AptSource]:
    for match in re.finditer(r"^\s*deb\s+(?:\[[^\]\n]*\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
        if _is_usable(match[1]):
            yield AptSource(match[1], (match[2],))


def _parse_deb822(text: str) -> Iterator[AptSource]:
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields = {
            name.lower(): value.split()
            for name, value in re.findall(r"^([A-Za-z-]+):(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"])[:1] not in (["no"], ["false"], ["0"]):
            for uri in fields.get("uris", []):
                if _is_usable(uri):
                    yield AptSource(uri, tuple(fields.get("suites", [])))


def _is_usable(uri: str) -> bool:
    return uri.startswith(("https://", "http://", "file:///"))
