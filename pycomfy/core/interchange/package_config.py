"""Write Python packages that were installed as what pycomfy.toml says of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import Version

from pycomfy.core.interchange.model import Package
from pycomfy.core.lockfile.direct_references import parse_direct_reference
from pycomfy.core.lockfile.package_indexes import ACCELERATOR
from pycomfy.core.lockfile.platforms import MACHINES, PlatformName


@dataclass(frozen=True)
class PackageConfig:
    """`overrides` set the version of packages that something requires; `requirements` are direct references. `skipped`
    are packages that cannot be installed again. `accelerator` is what PyTorch was built for."""

    overrides: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    accelerator: str | None = None
    notes: tuple[str, ...] = ()


def to_package_config(packages: Sequence[Package]) -> PackageConfig:
    """Return what makes a lock have these versions. A package that nothing requires stays out of the lock: a freeze
    lists much that has nothing to do with ComfyUI."""
    accelerator = _accelerator(packages)
    overrides, requirements, skipped, local, foreign = [], [], [], [], []
    for package in sorted(packages, key=lambda p: (p.name.lower(), p.version, p.url or "")):
        name, version = canonicalize_name(package.name), _version(package.version)
        if package.url is not None and _is_direct(package):
            requirements.append(package.pin)
        elif package.url is not None or version is None or not is_normalized_name(name):
            skipped.append(package.pin)
            foreign.append(package.name)
        else:
            if version.local not in (None, accelerator):
                local.append(f"{package.name} {version}")
            overrides.append(f"{package.name}=={version.public}{_marker(package.platforms)}")
    notes = []
    if local:
        notes.append(
            f"{', '.join(local)}: no known index has these builds; the versions without the part after + are used"
        )
    if foreign:
        notes.append(f"Python packages that cannot be downloaded again, left out: {', '.join(foreign)}")
    return PackageConfig(tuple(overrides), tuple(requirements), tuple(skipped), accelerator, tuple(notes))


def _accelerator(packages: Iterable[Package]) -> str | None:
    """What PyTorch itself was built for, which is the local part of its version."""
    for package in packages:
        version = _version(package.version)
        if canonicalize_name(package.name) == "torch" and version is not None and version.local is not None:
            return version.local if ACCELERATOR.fullmatch(version.local) else None
    return None


def _is_direct(package: Package) -> bool:
    """Whether an untrusted file may name this source: one that needs no key, and is not on this machine's disk."""
    if not (package.url or "").startswith(("https://", "git+https://")):
        return False
    try:
        return parse_direct_reference(package.pin, from_user=False) is not None
    except ValueError:
        return False


def _marker(platforms: Iterable[PlatformName]) -> str:
    machines = " or ".join(f"platform_machine == '{MACHINES[p]}'" for p in platforms)
    return f" ; {machines}" if machines else ""


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:
        return None
