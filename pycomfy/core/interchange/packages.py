"""Python packages that were installed, as pycomfy.toml asks for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import InvalidVersion, Version

from pycomfy.core.interchange.model import Package
from pycomfy.core.lockfile.direct_references import parse_direct_reference
from pycomfy.core.lockfile.package_indexes import ACCELERATOR
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.python.wheel_selection import Target
from pycomfy.core.workflow.untrusted_json import shown


@dataclass(frozen=True)
class PackageConfig:
    """`overrides` hold what anybody asks for at the versions that were there; `requirements` are what came from a
    place of its own. `left` are those that cannot be had; `accelerator` is what PyTorch was built for."""

    overrides: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    accelerator: str | None = None
    notes: tuple[str, ...] = ()


def to_package_config(packages: Sequence[Package]) -> PackageConfig:
    """How a lock gets these versions. Whatever nobody asks for stays out: a freeze has much that ComfyUI never had."""
    accelerator = _accelerator(packages)
    overrides, requirements, left, local, foreign = [], [], [], [], []
    for package in sorted(packages, key=lambda p: (p.name.lower(), p.version, p.url or "")):
        name, version = canonicalize_name(package.name), _version(package.version)
        if package.url is not None and _is_direct(package):
            requirements.append(package.pin)
        elif package.url is not None or version is None or not is_normalized_name(name):
            left.append(package.pin)
            foreign.append(shown(package.name))
        else:
            if version.local not in (None, accelerator):
                local.append(f"{package.name} {version}")
            overrides.append(f"{package.name}=={version.public}{_marker(package.platforms)}")
    notes = []
    if local:
        notes.append(
            f"{', '.join(local)}: builds that no index is known to have; the versions without what is behind the +"
            " are asked for"
        )
    if foreign:
        notes.append(f"Python packages from nowhere that they could be had again, left out: {', '.join(foreign)}")
    return PackageConfig(tuple(overrides), tuple(requirements), tuple(left), accelerator, tuple(notes))


def _accelerator(packages: Iterable[Package]) -> str | None:
    """That of PyTorch itself, which it has as the local part of its version."""
    for package in packages:
        version = _version(package.version)
        if canonicalize_name(package.name) == "torch" and version is not None and version.local is not None:
            return version.local if ACCELERATOR.fullmatch(version.local) else None
    return None


def _is_direct(package: Package) -> bool:
    """Whether a stranger's file may send this machine there: without its keys, and not to its disk."""
    if not (package.url or "").startswith(("https://", "git+https://")):
        return False
    try:
        return parse_direct_reference(package.pin, from_user=False) is not None
    except ValueError:
        return False


def _marker(platforms: Iterable[PlatformName]) -> str:
    machines = " or ".join(f"platform_machine == '{Target(p, '3.11').machine}'" for p in platforms)
    return f" ; {machines}" if machines else ""


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
