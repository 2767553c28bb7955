"""Find files that several wheels install with different contents, and settle which wheel's file the image gets.

An installer would let the last wheel overwrite the others. In an image that would be chance: stray files that nobody
imports are settled, everything else is the user's decision.
"""

import configparser
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STRAY_FOLDERS = frozenset({"benchmarks", "doc", "docs", "example", "examples", "test", "tests"})
_STRAY_FILES = (
    "AUTHORS", "CHANGELOG", "CHANGES", "CONTRIBUTING", "COPYING", "HISTORY", "LICENCE", "LICENSE", "NOTICE", "README",
)  # fmt: skip


COMMANDS = "../../../bin/"
"""The folder of commands, from site-packages."""


@dataclass(frozen=True)
class WheelFile:
    """A file of a wheel: its `path` in it, its `place` below site-packages, and what tells it from another one.

    One that is `made` is a command that an installer writes for an entry point; its path is what it would have in the
    wheel.
    """

    path: str
    place: str
    crc: int
    size: int
    executable: bool
    made: bool = False

    @property
    def content(self) -> tuple[int, int, bool]:
        return self.crc, self.size, self.executable


@dataclass(frozen=True)
class Clash:
    """Wheels that install different files at one place; `stray` if nobody imports it, or all are commands that an
    installer writes: nodes import packages, they do not call these."""

    place: str
    wheels: tuple[str, ...]
    stray: bool


@dataclass(frozen=True)
class Settled:
    """`excludes` are the paths that are left out of each wheel, `clashes` those that were settled as strays, `open`
    those that nobody settled; `empty` are the wheels that install nothing but strays."""

    excludes: Mapping[str, tuple[str, ...]]
    clashes: tuple[Clash, ...] = ()
    open: tuple[Clash, ...] = ()
    empty: tuple[str, ...] = ()


def is_stray(place: str) -> bool:
    """Return whether a file at this place is one that packages install by mistake: `tests/`, `docs/`, README."""
    top, _, rest = place.partition("/")
    return top in _STRAY_FOLDERS if rest else top.partition(".")[0].upper() in _STRAY_FILES


def settle_clashes(files: Mapping[str, Sequence[WheelFile]], preferred: Sequence[str]) -> Settled:
    """Return which files are left out, so that no two wheels install different ones at one place. The first of the
    `preferred` wheels that has a file keeps it; of strays, the first wheel by name does."""
    places: dict[str, dict[str, WheelFile]] = {}
    for name in sorted(files):
        for file in files[name]:
            places.setdefault(file.place, {})[name] = file
    excludes: dict[str, list[str]] = {}
    strays: list[Clash] = []
    unsettled: list[Clash] = []
    for place, owners in sorted(places.items()):
        if len({file.content for file in owners.values()}) < 2:
            continue
        clash = Clash(place, tuple(owners), is_stray(place) or all(file.made for file in owners.values()))
        winner = next((name for name in preferred if name in owners), None)
        if winner is None and not clash.stray:
            unsettled.append(clash)
            continue
        if winner is None:
            strays.append(clash)
            winner = clash.wheels[0]
        for name, file in owners.items():
            if file.content != owners[winner].content:
                excludes.setdefault(name, []).append(file.path)
    return Settled(
        {name: tuple(sorted(paths)) for name, paths in excludes.items()},
        tuple(strays),
        tuple(unsettled),
        tuple(name for name in sorted(files) if all(is_stray(file.place) for file in files[name])),
    )


def read_entry_points(text: str) -> dict[str, str]:
    """Return the commands that an installer writes for an `entry_points.txt`, each with what it calls: `a.b:c`. None if
    it cannot be read: building the image tells of it."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    sections = [group for group in ("console_scripts", "gui_scripts") if parser.has_section(group)]
    return {name: re.sub(r"\s+|\[.*", "", value) for group in sections for name, value in parser.items(group) if value}


def group_by_wheels(clashes: Sequence[Clash]) -> dict[tuple[str, ...], list[str]]:
    """Return the places that the same wheels install."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for clash in clashes:
        groups.setdefault(clash.wheels, []).append(clash.place)
    return groups
