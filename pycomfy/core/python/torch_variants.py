"""Identify builds of PyTorch's packages for an accelerator by the labels of their versions.

PyTorch labels its builds: 2.9.1+cu128 is 2.9.1 for CUDA 12.8. An index that lacks a build may have another one of the
same version, which would run without the accelerator, or not at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from pycomfy.core.lockfile.package_indexes import ACCELERATOR, IndexConfig
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Wheel

TORCH = "torch"


@dataclass(frozen=True)
class TorchVariant:
    """The accelerator of a lock, and whether builds without a label may be for it."""

    accelerator: str
    unlabelled: bool = False


def find_variant(index_config: IndexConfig, platform: PlatformName) -> TorchVariant | None:
    """Return the variant for an index config. An index whose address has the accelerator needs no labels; and of the
    builds for arm64 without an accelerator, PyTorch labels only some."""
    if index_config.accelerator is None:
        return None
    own = any(TORCH in index.packages and index.per_accelerator for index in index_config.indexes)
    return TorchVariant(
        index_config.accelerator, own or (index_config.accelerator == "cpu" and platform == "linux/arm64")
    )


def label(version: str) -> str | None:
    """Return the accelerator in a version's label; None if there is none."""
    try:
        local = Version(version).local
    except ValueError:
        return None
    return local if local is not None and ACCELERATOR.fullmatch(local) else None


def public_version(version: str) -> str:
    """Return the version without its label."""
    return version.partition("+")[0]


def find_other_builds(wheels: Iterable[Wheel], variant: TorchVariant) -> list[Wheel]:
    """Return the wheels that are not for the variant, by their label; PyTorch itself also if it has none."""
    return [
        wheel
        for wheel in wheels
        if (found := label(wheel.version)) != variant.accelerator
        and (found is not None or (wheel.name == TORCH and not variant.unlabelled))
    ]


def nearest(accelerators: Iterable[str], requested: str, limit: int = 8) -> list[str]:
    """Return accelerators to use in place of `requested`: at most `limit` of its kind, the nearest first, and "cpu"."""
    kind = requested.rstrip("0123456789.")
    number = _number(requested)
    same = [a for a in accelerators if a != requested and a.rstrip("0123456789.") == kind and kind != a]
    same.sort(key=lambda a: (abs(_number(a) - number), a))
    return [*same[:limit], *(["cpu"] if requested != "cpu" else [])]


def _number(accelerator: str) -> float:
    digits = "".join(c for c in accelerator if c.isdigit() or c == ".")
    first, _, rest = digits.partition(".")
    return float(f"{first or 0}.{rest.replace('.', '') or 0}")


def describe_builds(name: str, version: str, found: Sequence[str], instead: Sequence[str]) -> str:
    """Return what exists in place of a build: other versions for the accelerator, the same version for other ones."""
    parts = [f"for that there is {', '.join(found)}"] if found else [f"for that there is no {name}"]
    if instead:
        parts.append(f"{name} {version} exists for {', '.join(instead)}")
    return "; ".join(parts)
