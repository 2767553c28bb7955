"""Select the wheel of each package for an image from a resolved `pylock.toml` (PEP 751)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.lockfile.platforms import MACHINES, PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.errors import NoMatchingDistribution, raise_all

# Debian's: bookworm has Python 3.11.2 and glibc 2.36, trixie has 3.13.5 and 2.41.
_PATCH = {"3.11": "3.11.2", "3.13": "3.13.5"}
_GLIBC = {"3.11": 36, "3.13": 41}

_UV_GLIBC = 40
"""The newest glibc that uv has a platform for. It accepts no wheel that a newer glibc would refuse."""

# The names of manylinux before PEP 600, by glibc; aarch64 begins with manylinux2014.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST_GLIBC: Mapping[PlatformName, int] = {"linux/amd64": 5, "linux/arm64": 17}


@dataclass(frozen=True)
class Target:
    """What wheels must run on: a platform, with the Python and glibc of a Debian suite."""

    platform: PlatformName
    python: str

    @property
    def machine(self) -> str:
        """The machine, as in the tags of wheels: "x86_64"."""
        return MACHINES[self.platform]

    @property
    def python_full(self) -> str:
        """The full version of Python: "3.11.2"."""
        return _PATCH[self.python]

    @property
    def uv_platform(self) -> str:
        """Its name for `uv --python-platform`."""
        return f"{self.machine}-manylinux_2_{min(_GLIBC[self.python], _UV_GLIBC)}"

    def environment(self) -> dict[str, str]:
        """Return the values of environment markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python_full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python_full,
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }


@cache
def rank_tags(target: Target) -> Mapping[Tag, int]:
    """Return the wheel tags that run on `target`; the smallest number is the most specific tag."""
    version = tuple(int(part) for part in target.python.split("."))
    interpreter = "cp" + target.python.replace(".", "")
    platforms = list(_platforms(target))
    tags = [
        *cpython_tags(version, abis=[interpreter], platforms=platforms),
        *compatible_tags(version, interpreter=interpreter, platforms=platforms),
    ]
    ranks: dict[Tag, int] = {}
    for tag in tags:
        ranks.setdefault(tag, len(ranks))
    return ranks


def _platforms(target: Target) -> Iterator[str]:
    for glibc in range(_GLIBC[target.python], _OLDEST_GLIBC[target.platform] - 1, -1):
        yield f"manylinux_2_{glibc}_{target.machine}"
        if glibc in _OLD_NAMES:
            yield f"{_OLD_NAMES[glibc]}_{target.machine}"
    yield f"linux_{target.machine}"


def choose_wheels(pylock: Mapping[str, Any], platform: PlatformName, python: str) -> tuple[Wheel, ...]:
    """Return the best wheel of every package that `platform` needs, by name; the order in `pylock` does not matter.

    `size` is 0 where the index does not say it. Raises `NoMatchingDistribution` for all packages without a compatible
    wheel at once.
    """
    target = Target(platform, python)
    wheels: dict[str, Wheel] = {}
    problems: list[NoMatchingDistribution] = []
    for package in pylock.get("packages", ()):
        if not _is_needed(package, target):
            continue
        name, version = canonicalize_name(str(package.get("name"))), str(package.get("version", "?"))
        chosen = _best_wheel(package, target)
        if chosen is None:
            problems.append(_no_wheel(package, target))
        elif name in wheels and wheels[name] != chosen:
            problems.append(
                NoMatchingDistribution(
                    f"{name} is required in two versions: {wheels[name].version} and {version}",
                    where=f"the Python packages for {platform}",
                    fix=f'pin one of them in pycomfy.toml: overrides = ["{name}=={version}"]',
                )
            )
        else:
            wheels[name] = chosen
    raise_all(sorted(problems, key=str))
    return tuple(wheels[name] for name in sorted(wheels))


def undated_wheels(pylock: Mapping[str, Any], wheels: Iterable[Wheel]) -> list[Wheel]:
    """Return those of the chosen wheels for which `pylock` has no upload time."""
    entries = [entry for package in pylock.get("packages", ()) for entry in package.get("wheels", ())]
    dated = {without_password(str(entry.get("url"))) for entry in entries if "upload-time" in entry}
    return [wheel for wheel in wheels if wheel.url not in dated]


def _is_needed(package: Mapping[str, Any], target: Target) -> bool:
    marker = package.get("marker")
    if marker is None:
        return True
    try:
        return Marker(str(marker)).evaluate(target.environment(), context="lock_file")
    except (ValueError, KeyError):
        return True


def _best_wheel(package: Mapping[str, Any], target: Target) -> Wheel | None:
    ranks = rank_tags(target)
    best: tuple[tuple[int, int, str, bool, bool, str], Wheel] | None = None
    wheels = [wheel for entry in package.get("wheels", ()) if (wheel := _parse_wheel(entry)) is not None]
    fetchable = {wheel.sha256 for wheel in wheels if not wheel.url.startswith("file:")}
    for wheel in wheels:
        name, _, build, tags = parse_wheel_filename(wheel.filename)
        if name != canonicalize_name(str(package.get("name"))):
            continue
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=None)
        if rank is None:
            continue
        # The higher build number wins (PEP 427); then a wheel on this disk, unless the same one can be fetched; then
        # anything but the order in the file.
        local = wheel.url.startswith("file:") and wheel.sha256 not in fetchable
        key = (rank, -build[0] if build else 0, wheel.filename, not local, wheel.url.startswith("file:"), wheel.url)
        if best is None or key < best[0]:
            best = key, wheel
    return best[1] if best else None


def _parse_wheel(entry: Mapping[str, Any]) -> Wheel | None:
    """The wheel of a pylock entry; None if its name is not that of a wheel, or if it has no URL or no SHA-256."""
    filename = _filename(entry)
    try:
        name, version, _, _ = parse_wheel_filename(filename)
        return Wheel(
            name=name,
            version=str(version),
            filename=filename,
            url=without_password(str(entry["url"])),
            sha256=str(entry["hashes"]["sha256"]).lower(),
            size=entry.get("size", 0),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _filename(entry: Mapping[str, Any]) -> str:
    if "name" in entry:
        return str(entry["name"])
    try:
        return unquote(urlsplit(str(entry.get("url", ""))).path.rsplit("/", 1)[-1])
    except ValueError:
        return ""


def _no_wheel(package: Mapping[str, Any], target: Target) -> NoMatchingDistribution:
    """The error for a package without a wheel, with what it has in place of one, which may help."""
    name, version = package.get("name"), package.get("version", "?")
    others = sorted(tag for entry in package.get("wheels", ()) for tag in _platforms_of(entry))
    available: list[str] = []
    if others:
        available.append("wheels for " + ", ".join(dict.fromkeys(others)))
    if "sdist" in package:
        available.append("its sdist, which would have to be built")
    if not {"vcs", "directory", "archive"}.isdisjoint(package):
        available.append("a source tree, which would have to be built")
    return NoMatchingDistribution(
        f"{name} {version} has no wheel for {target.platform}; there is {' and '.join(available) or 'nothing else'}",
        where=f"the Python packages for {target.platform}, Python {target.python}",
        fix=(
            f'require another version in pycomfy.toml: requirements = ["{name}!={version}"]',
            "leave out the platform",
        ),
    )


def _platforms_of(entry: Mapping[str, Any]) -> set[str]:
    try:
        tags = parse_wheel_filename(_filename(entry))[3]
    except ValueError:
        return set()
    return {f"{tag.interpreter}-{tag.platform}" for tag in tags}
