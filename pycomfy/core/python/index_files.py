"""Describe what a package index has of a package for a target: for messages where no usable wheel exists."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from pycomfy.core.lockfile.platforms import MACHINES, PlatformName
from pycomfy.core.python.specifiers import parse_specifiers
from pycomfy.core.python.wheel_selection import Target, rank_tags

MAX_LISTED = 8
MAX_FILENAME = 300
"""Characters of a file's name: each of its three sets of tags is combined with the others."""

_CPYTHON = re.compile(r"(cp|py)[0-9]{1,4}")


@dataclass(frozen=True)
class IndexFile:
    """A file of a package: its name, and the Pythons that it is for (PEP 440)."""

    filename: str
    requires_python: str = ""


@dataclass(frozen=True)
class Available:
    """What there is for a target. `text` describes the files of the requested versions, as the end of a sentence; with
    `source`, one of them can be built.

    `usable` are all versions with a usable wheel, requested or not, oldest first; `platforms` are our other platforms
    for which a requested version has a wheel, `pythons` our other Pythons.
    """

    text: str
    source: bool = False
    usable: tuple[Version, ...] = ()
    platforms: tuple[PlatformName, ...] = ()
    pythons: tuple[str, ...] = ()

    def nearest(self, versions: str) -> tuple[Version, ...]:
        """Return up to two usable versions to take instead of the requested ones: the next newer one, the newest."""
        stable = [v for v in self.usable if not v.is_prerelease] or list(self.usable)
        named = [Version(s.version.removesuffix(".*")) for s in _specifiers(versions) if _is_version(s.version)]
        above = [v for v in stable if named and v > max(named)]
        return tuple(dict.fromkeys([*above[:1], *stable[-1:]]))


def describe_available(
    name: str, versions: str, files: Iterable[IndexFile], target: Target, pythons: Collection[str] = ()
) -> Available:
    """Return what there is of `name` in `versions`, a specifier. `pythons` are those that an image may have."""
    wanted = _specifiers(versions)
    wheels: list[tuple[Version, frozenset[Tag], IndexFile]] = []
    sources: list[Version] = []
    for file in files:
        if (wheel := _parse_wheel(name, file)) is not None:
            wheels.append((*wheel, file))
        elif (version := _parse_sdist(name, file.filename)) is not None and _supports(file, target):
            sources.append(version)
    usable = {v for v, tags, file in wheels if _fits(tags, file, target)}
    own = [(tags, file) for v, tags, file in wheels if wanted.contains(v, prereleases=True)]
    others = [Target(platform, target.python) for platform in MACHINES if platform != target.platform]
    source = any(wanted.contains(v, prereleases=True) for v in sources)
    return Available(
        _describe(own, source, target),
        source,
        tuple(sorted(usable)),
        tuple(one.platform for one in others if any(_fits(tags, file, one) for tags, file in own)),
        tuple(
            python
            for python in sorted({*pythons} - {target.python})
            if any(_fits(tags, file, Target(target.platform, python)) for tags, file in own)
        ),
    )


def _describe(own: Sequence[tuple[frozenset[Tag], IndexFile]], has_source: bool, target: Target) -> str:
    names = {(tag.interpreter, tag.abi) for tag in rank_tags(target)}
    fitting = [tag for tags, _ in own for tag in tags if (tag.interpreter, tag.abi) in names]
    if fitting:
        return f"there are wheels for {_list(sorted({tag.platform for tag in fitting}))}"
    if own:
        return f"its wheels are for {_list(_pythons(tag.interpreter for tags, _ in own for tag in tags))}"
    if has_source:
        return "it exists as source only, which would have to be built"
    return "the index has no file of it that may be used: it was withdrawn, or is newer than the date of the lock"


def _pythons(interpreters: Iterable[str]) -> list[str]:
    """The interpreters' names, with CPython's as versions and in their order."""
    found = sorted({(int(i[3:] or 0), i) for i in interpreters if _CPYTHON.fullmatch(i)})
    texts = [f"Python {i[2]}.{i[3:]}" if i[3:] else f"Python {i[2]}" for _, i in found]
    return list(dict.fromkeys(texts)) or ["other interpreters"]


def _list(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MAX_LISTED} more" if len(texts) > MAX_LISTED else ""
    return ", ".join(texts[:MAX_LISTED]) + more


def _fits(tags: frozenset[Tag], file: IndexFile, target: Target) -> bool:
    return not rank_tags(target).keys().isdisjoint(tags) and _supports(file, target)


def _supports(file: IndexFile, target: Target) -> bool:
    return _specifiers(file.requires_python).contains(target.python_full, prereleases=True)


def _specifiers(text: str) -> SpecifierSet:
    return parse_specifiers(text) or SpecifierSet()


def _is_version(text: str) -> bool:
    try:
        Version(text.removesuffix(".*"))
    except ValueError:
        return False
    return True


def _parse_wheel(name: str, file: IndexFile) -> tuple[Version, frozenset[Tag]] | None:
    if len(file.filename) > MAX_FILENAME:
        return None
    try:
        package, version, _, tags = parse_wheel_filename(file.filename)
    except ValueError:
        return None
    return (version, tags) if package == canonicalize_name(name) else None


def _parse_sdist(name: str, filename: str) -> Version | None:
    try:
        package, version = parse_sdist_filename(filename)
    except ValueError:
        return None
    return version if package == canonicalize_name(name) else None
