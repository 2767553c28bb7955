"""Wheels that have to be built: what is built from what, and what is remembered of it."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root, Wheel, WheelBuild
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.url import UrlSource

COMPILERS = ("g++", "gcc", "libc6-dev", "make", "pkgconf")
"""The Debian packages of a build with a compiler; `compiler_packages` adds Python's headers."""

UNIVERSAL_SUFFIX = "-none-any.whl"
"""How the name of a wheel ends that is the same for every platform."""

_NEEDS = re.compile(r"^pycomfy needs: (\[.*\])$")
_NO_COMPILER = re.compile(
    r"\b(gcc|g\+\+|cc|c\+\+|clang|make)(?![\w+]).{0,40}(No such file|not found|cannot be found)"
    r"|No such file or directory: '\S*(gcc|g\+\+|cc|c\+\+|make)'|Python\.h: No such"
    r"|Unknown compiler|No CMAKE_C(XX)?_COMPILER|[Cc]ould not find (a|any) .{0,20}compiler|no acceptable C"
)


@dataclass(frozen=True)
class SourcePackage:
    """A source to build a wheel from. `name` may be the end of an address, until the wheel says how it is called;
    `requires` is what building it needs, as it says itself, `required_by` who wants it."""

    name: str
    version: str
    source: GitSource | UrlSource
    requires: tuple[str, ...]
    subdirectory: str | None = None
    required_by: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}".strip()

    def key(self) -> str:
        """A name for it and what it says, wherever it came from."""
        return hashlib.sha256(
            json.dumps([self.source.content_hash, self.subdirectory, list(self.requires)]).encode()
        ).hexdigest()


def compiler_packages(python: str) -> tuple[str, ...]:
    """What a Debian with compilers has besides what images have."""
    return (*COMPILERS, f"python{python}-dev")


def parse_build_requirements(lines: Sequence[str]) -> tuple[str, ...]:
    """The packages that a build asked for when it ran, by its log; only names with versions, no URLs."""
    for line in reversed(lines):
        match = _NEEDS.match(line)
        try:
            texts = [Requirement(str(text)) for text in json.loads(match[1])] if match else []
        except (ValueError, RecursionError, InvalidRequirement):
            return ()
        if texts:
            return tuple(str(text) for text in texts if text.url is None)
    return ()


def needs_compiler(lines: Sequence[str]) -> bool:
    """Whether a build failed for want of a compiler, by its log."""
    return any(_NO_COMPILER.search(line) for line in lines)


def is_universal(wheel: Wheel) -> bool:
    """Whether it is the same for every platform."""
    return wheel.filename.endswith(UNIVERSAL_SUFFIX)


def make_placeholder_wheel(name: str, version: str, requires_python: str) -> tuple[str, bytes]:
    """The name and bytes of a wheel that stands for one not yet built, so that uv can say which version it would take;
    it asks for nothing."""
    plain = canonicalize_name(name).replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {plain}\nVersion: {version}\n"
    if requires_python and "\n" not in requires_python:
        about += f"Requires-Python: {requires_python}\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for path, text in (
            (f"{info}/METADATA", about),
            (f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            (f"{info}/RECORD", ""),
        ):
            z.writestr(zipfile.ZipInfo(path), text)
    return f"{plain}-{version}-py3-none-any.whl", data.getvalue()


def with_built_wheels(pylock: Mapping[str, Any], made: Mapping[str, Wheel]) -> dict[str, Any]:
    """A `pylock.toml` in which the packages that were built have their wheel, instead of a path on this machine."""
    packages = []
    for package in pylock.get("packages", ()):
        wheel = made.get(canonicalize_name(str(package.get("name"))))
        if wheel is not None and str(package.get("version")) == wheel.version:
            kept = {key: package[key] for key in ("name", "version", "marker", "dependencies") if key in package}
            entry = {"name": wheel.filename, "url": wheel.url, "size": wheel.size, "hashes": {"sha256": wheel.sha256}}
            packages.append({**kept, "wheels": [entry]})
        else:
            packages.append(package)
    return {**pylock, "packages": packages}


def public_source_url(source: GitSource | UrlSource) -> str:
    """Where a source came from, without a login."""
    return strip_logins(source.url)


def source_name(source: GitSource | UrlSource) -> str:
    """How a store calls it; `nix/wheel.nix` does so too."""
    return f"source-{source.commit[:12]}" if isinstance(source, GitSource) else source.name


@dataclass(frozen=True)
class BuildRecipe:
    """How `name` is built on `platform`; `root` is the Debian whose Python builds, `compilers` the one that a build
    with a compiler sees."""

    name: str
    version: str
    platform: PlatformName
    python: str
    build: WheelBuild
    root: Root
    compilers: Root | None = None

    def render(self) -> str:
        """`recipe.json`, which `nix/recipe.nix` reads."""
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

    def key(self, builders: str) -> str:
        """A name for all that the wheel depends on; `builders` stands for the programs that build. Where things come
        from does not matter, only what they are."""
        root = self.compilers if self.compilers is not None and self.build.compiler else self.root
        data = [
            self.name,
            self.platform,
            self.python,
            self.build.source.content_hash,
            self.build.subdirectory,
            sorted((w.filename, w.sha256) for w in self.build.requires),
            root.tree,
            builders,
        ]
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()
