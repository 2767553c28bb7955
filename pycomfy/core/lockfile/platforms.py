"""The platforms that images are for, and the names of their machines: Linux's and Python's, Debian's and Docker's."""

from collections.abc import Mapping
from typing import Literal

PlatformName = Literal["linux/amd64", "linux/arm64"]

MACHINES: Mapping[PlatformName, str] = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""As `uname -m` and the tags of wheels say it; the keys are all platforms."""

_PLATFORMS: Mapping[str, PlatformName] = {
    **{machine: platform for platform, machine in MACHINES.items()},
    "amd64": "linux/amd64",
    "arm64": "linux/arm64",
}


def find_platform(machine: str) -> PlatformName | None:
    """Return the platform of a machine, by any of its names; None if no image is for it."""
    return _PLATFORMS.get(machine.lower())
