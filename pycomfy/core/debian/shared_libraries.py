"""Find shared libraries that an image's Python modules need and the image lacks, and the Debian packages with them."""

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class SharedLibrary:
    """A shared library in an image: its path, its `owner` ("numpy 2.1.0"), the libraries it needs, its own name.
    `module` says that Python can import it."""

    path: str
    owner: str
    needed: tuple[str, ...]
    soname: str = ""
    module: bool = False


@dataclass(frozen=True)
class MissingLibrary:
    """A shared library that `path`, of `owner`, needs when it is imported; `via` is the library that needs it, if not
    `path` itself. `package` is the Debian package with it; `known` says whether Debian has a package with that name.
    `line` is the line of pycomfy.toml that adds it."""

    owner: str
    path: str
    soname: str
    via: str
    package: str
    known: bool
    line: str


_DRIVER = re.compile(
    r"lib(cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[a-z0-9-]+|(GLX|EGL|GLESv1_CM|GLESv2|vdpau)_nvidia)\.so(\.[0-9]+)*"
)
"""The libraries that NVIDIA's container toolkit mounts with the driver."""

_OPTIONAL: Mapping[str, str] = MappingProxyType(
    {
        "libtbb.so.12": "numba has several threading layers, and takes another one",
    }
)
"""Libraries of modules that their packages try, and do without."""


def find_missing_libraries(
    libraries: Sequence[SharedLibrary], names: Collection[str], packages: Collection[str]
) -> list[MissingLibrary]:
    """Return the shared libraries that modules need and the image lacks, each once for each owner; `line`s are empty.

    `names` are those of all files and links in the image that may be shared libraries, `packages` those of Debian. Only
    what Python can import counts: other libraries are opened by programs that handle missing ones.
    """
    by_name: dict[str, list[SharedLibrary]] = {}
    for library in libraries:
        for name in {posixpath.basename(library.path), library.soname} - {""}:
            by_name.setdefault(name, []).append(library)
    present = {*names, *by_name}
    found: dict[tuple[str, str], MissingLibrary] = {}
    for library in libraries:
        if not library.module:
            continue
        for soname, via in sorted(_missing(library, by_name, present)):
            package, known = debian_package(soname, packages)
            missing = MissingLibrary(library.owner, library.path, soname, via, package, known, "")
            found.setdefault((library.owner, soname), missing)
    return [found[key] for key in sorted(found)]


def _missing(
    module: SharedLibrary, by_name: Mapping[str, Sequence[SharedLibrary]], present: Collection[str]
) -> Iterable[tuple[str, str]]:
    """The missing ones of all libraries that a module loads, each with the library that needs it, "" for the module."""
    seen: set[int] = set()
    waiting = [module]
    while waiting:
        library = waiting.pop()
        if id(library) in seen:
            continue
        seen.add(id(library))
        for soname in library.needed:
            if soname in present:
                # Of several with that name, one of the same owner is loaded first.
                candidates = by_name.get(soname, ())
                own = [c for c in candidates if c.owner == library.owner]
                waiting += (own or candidates)[:1]
            elif soname not in _OPTIONAL and _DRIVER.fullmatch(soname) is None:
                yield soname, "" if library is module else library.path


# — Debian's names —

_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "libGLESv2.so.2": "libgles2",
        "libGLU.so.1": "libglu1-mesa",
        "libOSMesa.so.8": "libosmesa6",
        "libgio-2.0.so.0": "libglib2.0-0",
        "libglib-2.0.so.0": "libglib2.0-0",
        "libgmodule-2.0.so.0": "libglib2.0-0",
        "libgobject-2.0.so.0": "libglib2.0-0",
        "libgthread-2.0.so.0": "libglib2.0-0",
        "libmpi.so.40": "libopenmpi3",
        "libpulse-simple.so.0": "libpulse0",
        "libtcl8.6.so": "libtcl8.6",
        "libtk8.6.so": "libtk8.6",
        "libz.so.1": "zlib1g",
    }
)
"""Libraries with packages that are not named by the rule below."""

_SONAME = re.compile(r"(?P<name>lib[A-Za-z0-9_+.-]*?)(-(?P<inner>[0-9][0-9.]*))?\.so(\.(?P<version>[0-9][0-9.]*))?")


def debian_package(soname: str, packages: Collection[str]) -> tuple[str, bool]:
    """Return the Debian package of a shared library ("" if there is no rule), and whether it is one of `packages`,
    those of Debian. The rule is Policy 8.1: its name and version, with a hyphen between digits."""
    expected = _PACKAGES.get(soname) or _by_rule(soname)
    if not expected:
        return "", False
    # t64: packages that were renamed when time_t became longer (Debian 13). Others have a suffix for a variant.
    exact = [name for name in (expected, f"{expected}t64") if name in packages]
    if not exact:
        exact = sorted(name for name in packages if re.fullmatch(re.escape(expected) + r"(-[a-z]+|v5|a|t64)", name))
    return (exact[0], True) if exact else (expected, False)


def _by_rule(soname: str) -> str:
    match = _SONAME.fullmatch(soname)
    if match is None:
        return ""
    name = match["name"].lower().replace("_", "-") + (f"-{match['inner']}" if match["inner"] else "")
    version = match["version"] or ""
    return name + ("-" if version and name[-1].isdigit() else "") + version
