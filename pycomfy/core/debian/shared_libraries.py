"""Shared libraries that an image's modules need and nothing in it has, and the Debian packages that have them."""

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pycomfy.core.analysis.findings import plain


@dataclass(frozen=True)
class SharedLibrary:
    """A shared library of an image: its place, who ships it ("numpy 2.1.0"), what it needs, its own name. `module` says
    that Python can import it."""

    path: str
    owner: str
    needed: tuple[str, ...]
    soname: str = ""
    module: bool = False


@dataclass(frozen=True)
class MissingLibrary:
    """A library that `path`, of `owner`, needs when it is imported, perhaps by way of `via`. `package` is the Debian
    package that has it; `known` says whether the archive was seen to have one of that name. `line` is that of
    pycomfy.toml which adds it."""

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
"""What NVIDIA's container toolkit brings along with the driver."""

_OPTIONAL: Mapping[str, str] = MappingProxyType(
    {
        "libtbb.so.12": "numba has several ways to share work, and takes another one",
    }
)
"""Libraries of modules that are tried, and done without."""


def find_missing_libraries(
    libraries: Sequence[SharedLibrary], names: Collection[str], packages: Collection[str]
) -> list[MissingLibrary]:
    """What modules need and the image does not have, each library once for each that ships them; `line`s are empty.

    `names` are those of all files and links of the image that may be libraries, `packages` Debian's. Only what Python
    can import counts: what else is there is opened by programs that know what they can do without.
    """
    by_name: dict[str, list[SharedLibrary]] = {}
    for library in libraries:
        for name in {posixpath.basename(library.path), library.soname} - {""}:
            by_name.setdefault(name, []).append(library)
    there = {*names, *by_name}
    found: dict[tuple[str, str], MissingLibrary] = {}
    for library in libraries:
        if not library.module:
            continue
        for soname, via in sorted(_missing(library, by_name, there)):
            package, known = debian_package(soname, packages)
            lacking = MissingLibrary(library.owner, library.path, plain(soname), via, package, known, "")
            found.setdefault((library.owner, soname), lacking)
    return [found[key] for key in sorted(found)]


def _missing(
    module: SharedLibrary, by_name: Mapping[str, Sequence[SharedLibrary]], there: Collection[str]
) -> Iterable[tuple[str, str]]:
    """What is missing of all that it loads, and the library that needs it, "" for itself."""
    seen: set[int] = set()
    waiting = [module]
    while waiting:
        library = waiting.pop()
        if id(library) in seen:
            continue
        seen.add(id(library))
        for soname in library.needed:
            if soname in there:
                # Of several with the name any may be meant; of its own package's first.
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
"""Libraries whose package is not called by the rule below."""

_SONAME = re.compile(r"(?P<name>lib[A-Za-z0-9_+.-]*?)(-(?P<inner>[0-9][0-9.]*))?\.so(\.(?P<version>[0-9][0-9.]*))?")


def debian_package(soname: str, packages: Collection[str]) -> tuple[str, bool]:
    """The Debian package of a library, by the rule that packages of libraries are called by (Policy 8.1): its name and
    version, with a hyphen between digits. Whether `packages`, those of the archive, have it; without them, a guess."""
    wanted = _PACKAGES.get(soname) or _by_rule(soname)
    if not wanted:
        return "", False
    # t64: what got another name when time_t became longer (Debian 13). Others have the name of a variant added.
    exact = [name for name in (wanted, f"{wanted}t64") if name in packages]
    if not exact:
        exact = sorted(name for name in packages if re.fullmatch(re.escape(wanted) + r"(-[a-z]+|v5|a|t64)", name))
    return (exact[0], True) if exact else (wanted, False)


def _by_rule(soname: str) -> str:
    match = _SONAME.fullmatch(soname)
    if match is None:
        return ""
    name = match["name"].lower().replace("_", "-") + (f"-{match['inner']}" if match["inner"] else "")
    version = match["version"] or ""
    return name + ("-" if version and name[-1].isdigit() else "") + version
