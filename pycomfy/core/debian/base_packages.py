"""List the Debian packages that every image has, and the dependencies that are left out."""

from collections.abc import Mapping
from types import MappingProxyType

BASE_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "base-files": "the folders, os-release, the common licences",
        "base-passwd": "the users and groups every Debian has",
        "bash": "scripts of node packs, and people who look inside",
        "ca-certificates": "HTTPS",
        "coreutils": "what scripts call",
        "dash": "/bin/sh, which Python's `shell=True` starts",
        "libc-bin": "the C.UTF-8 locale, and ldconfig, which Triton asks where the driver is",
        "libc6": "every wheel's C library",
        "libegl1": "OpenGL without a display",
        "libgl1": "opencv-python links it",
        "libgles2": "mediapipe links it",
        "libglib2.0-0": "opencv-python links libgthread",
        "libgomp1": "wheels that use OpenMP and do not bring it",
        "libisal2": "ISA-L: the layer builder loads libisal.so.2 by ctypes, to inflate wheels much faster than zlib",
        "libstdc++6": "every wheel in C++",
        "netbase": "names of protocols and services",
        "tini": "the image's first process: reaps children, passes signals on",
        "tzdata": "time zones, for `zoneinfo`",
    }
)
"""The packages in every image, and why. `base_packages` adds Python; the resolver adds their dependencies."""

EXCLUDED: Mapping[str, str] = MappingProxyType(
    {
        "awk": "only for the installation script of base-files",
        "debconf": "asks questions while packages are installed; none are",
        "debianutils": "add-shell and the like, for installation scripts",
        "dpkg": "nothing is installed into an image",
        "init-system-helpers": "there are no services",
        "install-info": "there is no info documentation",
        "libdebconfclient0": "only for the installation script of base-passwd",
        "libegl-mesa0": "drags in Mesa and LLVM; NVIDIA's own EGL is mounted by its container toolkit",
        "libglx-mesa0": "drags in Mesa and LLVM; a CUDA image needs no more than libGL's symbols",
        "libx11-data": "keyboard and locale data of X; there is no display",
        "openssl": "the program only indexes certificates when they are installed; the shared library is libssl3",
        "perl": "installation scripts",
        "perl-base": "installation scripts",
        "readline-common": "key bindings of an interactive shell",
        "ucf": "merges configuration files while packages are installed",
    }
)
"""Dependencies that are not followed, and why: most are for maintainer scripts, which never run."""


BROWSER_PACKAGES = ("base-files", "base-passwd", "chromium-headless-shell", "fonts-dejavu-core")
"""The packages of the browser that shows ComfyUI's editor: Debian's skeleton, a Chromium without a window, a font."""


def base_packages(python: str) -> tuple[str, ...]:
    """Return the names of the packages that an image starts from, sorted."""
    return tuple(sorted([*BASE_PACKAGES, f"python{python}"]))


def compiler_packages(python: str) -> tuple[str, ...]:
    """Return the names of the packages that an image gets if something in it compiles while it runs: Triton calls gcc,
    inductor g++ and openssl, which hashes its headers, and both include Python.h."""
    return ("g++", "gcc", "libc6-dev", f"libpython{python}-dev", "openssl")
