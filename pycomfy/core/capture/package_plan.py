"""Read the Python packages of an installation, and plan what pins the same ones."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Literal

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import TypeAdapter, ValidationError

from pycomfy.core.lockfile.config_types import DirectRequirementText
from pycomfy.core.lockfile.git_url import without_password
from pycomfy.core.lockfile.package_indexes import ACCELERATOR, strip_logins
from pycomfy.core.lockfile.platforms import PlatformName, find_platform

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REQUIREMENT: TypeAdapter[str] = TypeAdapter(DirectRequirementText)

Origin = Literal["index", "git", "file", "url", "folder", "editable"]


@dataclass(frozen=True)
class InstalledPackage:
    """A package, by its normalised name. `origin` is what it was installed from, at `url` if that is not an index.
    `tags` are the platforms that its wheel was for, "any" for all."""

    name: str
    version: str
    origin: Origin = "index"
    url: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackagePlan:
    """What pycomfy.toml says. `pins` are `name==version`, or `name @ URL` for what is not from an index. If `required`,
    all of them are installed, else they only set the versions of what is required anyway. `lost` are the packages that
    cannot be pinned, each with the reason."""

    pins: tuple[str, ...] = ()
    required: bool = True
    accelerator: str | None = None
    platforms: tuple[PlatformName, ...] = ()
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def parse_distribution(metadata: str, wheel: str = "", direct_url: str = "") -> InstalledPackage | None:
    """Return a package by the text of its `METADATA` (or `PKG-INFO`), `WHEEL` and `direct_url.json` (PEP 610); None if
    the metadata is malformed."""
    headers = HeaderParser().parsestr(metadata)
    name, version = str(headers.get("Name", "")).strip(), str(headers.get("Version", "")).strip()
    if not _NAME.fullmatch(name) or not version or len(version) > 100 or not version.isprintable():
        return None
    tags = HeaderParser().parsestr(wheel).get_all("Tag") or ()
    platforms = tuple(sorted({str(tag).strip().rsplit("-", 1)[-1] for tag in tags}))
    origin, url = _parse_origin(direct_url)
    return InstalledPackage(canonicalize_name(name), version, origin, url, platforms)


def _parse_origin(text: str) -> tuple[Origin, str]:
    if not text:
        return "index", ""
    try:
        data = json.loads(text)
        url = str(data["url"])
        if "vcs_info" in data:
            commit = str(data["vcs_info"].get("commit_id", ""))
            known = data["vcs_info"].get("vcs") == "git" and _COMMIT.fullmatch(commit)
            return "git", f"git+{without_password(url)}@{commit}" if known else without_password(url)
        if "dir_info" in data:
            return ("editable" if data["dir_info"].get("editable") is True else "folder"), url
        return ("file" if url.startswith("file:") else "url"), strip_logins(without_password(url))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return "index", ""


def plan_packages(packages: Iterable[InstalledPackage]) -> PackagePlan:
    """Return what makes a lock have exactly these packages, as far as there are Linux wheels of the same versions."""
    found = sorted(packages, key=lambda p: (p.name, p.version))
    accelerator = _accelerator(found)
    platforms = _platforms(found)
    pins, lost, notes = [], [], []
    from_files = [p.name for p in found if p.origin == "file"]
    for package in found:
        line = _pin(package, accelerator)
        if _is_allowed(line):
            pins.append(line)
        else:
            lost.append(f"{package.name} {package.version}: {_why_lost(package, accelerator)}")
    if from_files:
        notes.append(f"{len(from_files)} packages were installed from files: the same versions of an index are used")
    foreign = _is_foreign(found)
    if foreign:
        notes.append("the installation is not on Linux: its versions are used only for what the code requires")
    return PackagePlan(tuple(pins), not foreign, accelerator, platforms, tuple(lost), tuple(notes))


def _accelerator(packages: Sequence[InstalledPackage]) -> str | None:
    """What PyTorch was built for, which is the local version of its packages; that of `torch` itself comes first."""
    locals_ = {p.name: local for p in packages if (local := _local(p)) and ACCELERATOR.fullmatch(local)}
    if "torch" in locals_:
        return locals_["torch"]
    return Counter(locals_.values()).most_common(1)[0][0] if locals_ else None


def _local(package: InstalledPackage) -> str | None:
    try:
        return Version(package.version).local
    except ValueError:
        return None


def _pin(package: InstalledPackage, accelerator: str | None) -> str:
    """The requirement that pins a package; empty if none can."""
    if package.origin in ("folder", "editable"):
        return ""
    if package.origin in ("git", "url"):
        return f"{package.name} @ {package.url}"
    try:
        version = Version(package.version)
    except ValueError:
        return ""
    if version.local is None:
        return f"{package.name}=={package.version}"
    return f"{package.name}=={version.public}" if version.local == accelerator else ""


def _is_allowed(line: str) -> bool:
    try:
        _REQUIREMENT.validate_python(line)
    except ValidationError:
        return False
    return True


def _why_lost(package: InstalledPackage, accelerator: str | None) -> str:
    match package.origin:
        case "editable":
            return f"installed in editable mode from the folder {package.url}"
        case "folder":
            return f"built from the folder {package.url}"
        case "git" | "url":
            return f"installed from {package.url}"
    if (local := _local(package)) is not None:
        other = f", other packages are for {accelerator}" if accelerator and ACCELERATOR.fullmatch(local) else ""
        return f"no index has its local version {local}{other}"
    return "its version is not valid (PEP 440)"


def _platforms(packages: Sequence[InstalledPackage]) -> tuple[PlatformName, ...]:
    """The platform of most compiled packages; empty if none is known."""
    machines = (re.search(r"x86_64$|[a-z0-9]+$", tag) for package in packages for tag in package.tags)
    platforms = Counter(p for m in machines if m is not None and (p := find_platform(m[0])) is not None)
    return (platforms.most_common(1)[0][0],) if platforms else ()


def _is_foreign(packages: Sequence[InstalledPackage]) -> bool:
    """Whether compiled packages are for another system than Linux."""
    tags = [t for p in packages for t in p.tags if t != "any"]
    return any(t.startswith(("win", "macosx")) for t in tags) and not any("linux" in t for t in tags)
