"""Describe wheel builds: what a wheel is built from, and the keys by which results are cached."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root, Wheel, WheelBuild
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.url import UrlSource

COMPILERS = ("g++", "gcc", "libc6-dev", "make", "pkgconf")
"""The Debian packages of a build with a compiler; `compiler_packages` adds Python's headers."""

UNIVERSAL_SUFFIX = "-none-any.whl"
"""The end of the file name of a wheel that is the same for every platform."""

_NEEDED_PACKAGES = re.compile(r"^pycomfy needs: (\[.*\])$")
_NO_COMPILER = re.compile(
    r"\b(gcc|g\+\+|cc|c\+\+|clang|make)(?![\w+]).{0,40}(No such file|not found|cannot be found)"
    r"|No such file or directory: '\S*(gcc|g\+\+|cc|c\+\+|make)'|Python\.h: No such"
    r"|Unknown compiler|No CMAKE_C(XX)?_COMPILER|[Cc]ould not find (a|any) .{0,20}compiler|no acceptable C"
)


@dataclass(frozen=True)
class SourcePackage:
    """A source to build a wheel from. `name` may be the end of an address, until the wheel says its name; `requires`
    are its declared build requirements; `required_by` is the origin of the requirement."""

    name: str
    version: str
    source: GitSource | UrlSource
    requires: tuple[str, ...]
    subdirectory: str | None = None
    required_by: str = ""

    @property
    def label(self) -> str:
        """Name and version, as far as they are known."""
        return f"{self.name} {self.version}".strip()

    def key(self) -> str:
        """Return a key for the source and its build requirements, which does not depend on its address."""
        return hashlib.sha256(
            json.dumps([self.source.content_hash, self.subdirectory, list(self.requires)]).encode()
        ).hexdigest()


def compiler_packages(python: str) -> tuple[str, ...]:
    """Return the packages of a Debian root filesystem with compilers, beyond those of images."""
    return (*COMPILERS, f"python{python}-dev")


def parse_build_requirements(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the build requirements that a build reported in its log when it ran; only names with versions, no URLs."""
    for line in reversed(lines):
        match = _NEEDED_PACKAGES.match(line)
        try:
            texts = [Requirement(str(text)) for text in json.loads(match[1])] if match else []
        except (ValueError, RecursionError):
            return ()
        if texts:
            return tuple(str(text) for text in texts if text.url is None)
    return ()


def needs_compiler(lines: Sequence[str]) -> bool:
    """Return whether a build failed because there was no compiler, by its log."""
    return any(_NO_COMPILER.search(line) for line in lines)


def is_universal(wheel: Wheel) -> bool:
    """Return whether a wheel is the same for every platform."""
    return wheel.filename.endswith(UNIVERSAL_SUFFIX)


def make_placeholder_wheel(name: str, version: str, requires_python: str) -> tuple[str, bytes]:
    """Return the file name and bytes of a placeholder for a wheel that is not built yet, without requirements, so that
    uv can select its version."""
    plain = canonicalize_name(name).replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {plain}\nVersion: {version}\n"
    if requires_python and "\n" not in requires_python:
        metadata += f"Requires-Python: {requires_python}\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for path, text in (
            (f"{info}/METADATA", metadata),
            (f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            (f"{info}/RECORD", ""),
        ):
            z.writestr(zipfile.ZipInfo(path), text)
    return f"{plain}-{version}-py3-none-any.whl", data.getvalue()


def with_built_wheels(pylock: Mapping[str, Any], built: Mapping[str, Wheel]) -> dict[str, Any]:
    """Return a `pylock.toml` in which the packages that were built have their wheel in place of a local path."""
    packages = []
    for package in pylock.get("packages", ()):
        wheel = built.get(canonicalize_name(str(package.get("name"))))
        if wheel is not None and str(package.get("version")) == wheel.version:
            common = {key: package[key] for key in ("name", "version", "marker", "dependencies") if key in package}
            entry = {"name": wheel.filename, "url": wheel.url, "size": wheel.size, "hashes": {"sha256": wheel.sha256}}
            packages.append({**common, "wheels": [entry]})
        else:
            packages.append(package)
    return {**pylock, "packages": packages}


def public_source_url(source: GitSource | UrlSource) -> str:
    """Return the address of a source, without a login."""
    return strip_logins(source.url)


def source_name(source: GitSource | UrlSource) -> str:
    """Return the name of a source in the Nix store, as in `nix/wheel.nix`."""
    return f"source-{source.commit[:12]}" if isinstance(source, GitSource) else source.name


@dataclass(frozen=True)
class BuildRecipe:
    """The build of `name` on `platform`. `root` is the Debian root filesystem with the Python that builds, `compilers`
    the one for builds with a compiler."""

    name: str
    version: str
    platform: PlatformName
    python: str
    build: WheelBuild
    root: Root
    compilers: Root | None = None

    def render(self) -> str:
        """Return `recipe.json`, which `nix/recipe.nix` reads."""
        pins = {"root": self.root.model_dump(mode="json")}
        if self.compilers is not None:
            pins["compilers"] = self.compilers.model_dump(mode="json")
        data = {
            "name": self.name,
            "version": self.version,
            "platform": self.platform,
            "python": self.python,
            "built": self.build.model_dump(mode="json"),
            "pins": pins,
        }
        return json.dumps(data, sort_keys=True)

    def key(self, builders: str, *, universal: bool = False) -> str:
        """Return a key for all that the wheel depends on; `builders` is the hash of the programs that build. The
        contents count, not their addresses. Of the root filesystem, a `universal` wheel depends on Python alone: it
        has nothing compiled."""
        root = self.compilers if self.compilers is not None and self.build.compiler else self.root
        python = [(p.name, p.sha256) for p in root.packages if "python3" in p.name]
        data = [
            self.name,
            self.platform,
            self.python,
            self.build.source.content_hash,
            self.build.subdirectory,
            sorted((w.filename, w.sha256) for w in self.build.requires),
            [*sorted(python), self.build.compiler] if universal else root.tree,
            builders,
        ]
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()
