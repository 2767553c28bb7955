"""What a platform's machine is called: by Linux and Python, by Debian and Docker, and by people."""

from collections.abc import Mapping

from pycomfy.core.lockfile.schema import PlatformName

MACHINES: Mapping[PlatformName, str] = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""As `uname -m` says it, and the tags of wheels."""

_PLATFORMS: Mapping[str, PlatformName] = {
    **{machine: platform for platform, machine in MACHINES.items()},
    "amd64": "linux/amd64",
    "arm64": "linux/arm64",
}


def find_platform(machine: str) -> PlatformName | None:
    """The platform of a machine, by any of its names; None for one that no image is for."""
    return _PLATFORMS.get(machine.lower())
