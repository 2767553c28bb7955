"""Find files that several wheels install with different contents, and settle which wheel's file the image gets.

An installer would let the last wheel overwrite the others. In an image that would be chance: stray files that nobody
imports are settled, everything else is the user's decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STRAY_FOLDERS = frozenset({"benchmarks", "doc", "docs", "example", "examples", "test", "tests"})
_STRAY_FILES = (
    "AUTHORS", "CHANGELOG", "CHANGES", "CONTRIBUTING", "COPYING", "HISTORY", "LICENCE", "LICENSE", "NOTICE", "README",
)  # fmt: skip


@dataclass(frozen=True)
class WheelFile:
    """A file of a wheel: its `path` in it, its `place` below site-packages, and what tells it from another one."""

    path: str
    place: str
    crc: int
    size: int
    executable: bool

    @property
    def content(self) -> tuple[int, int, bool]:
        return self.crc, self.size, self.executable


@dataclass(frozen=True)
class Clash:
    """Wheels that install different files at one place; `stray` if nobody imports it."""

    place: str
    wheels: tuple[str, ...]
    stray: bool


@dataclass(frozen=True)
class Settled:
    """`excludes` are the paths that are left out of each wheel, `clashes` those that were settled as strays, `open`
    those that nobody settled."""

    excludes: Mapping[str, tuple[str, ...]]
    clashes: tuple[Clash, ...] = ()
    open: tuple[Clash, ...] = ()


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
        clash = Clash(place, tuple(owners), is_stray(place))
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
    return Settled({name: tuple(sorted(paths)) for name, paths in excludes.items()}, tuple(strays), tuple(unsettled))


def group_by_wheels(clashes: Sequence[Clash]) -> dict[tuple[str, ...], list[str]]:
    """Return the places that the same wheels install."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for clash in clashes:
        groups.setdefault(clash.wheels, []).append(clash.place)
    return groups
