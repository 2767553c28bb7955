"""Compare versions of Debian packages, and parse the relationships between packages.

The rules are deb-version(7) and Debian Policy, chapter 7. Versions are compared here because python-debian is GPL, and
debian-inspector refuses versions such as `2.5~`, which dependencies do contain.
"""

import re
from dataclasses import dataclass

_PAIRS = re.compile(r"([^0-9]*)([0-9]*)")
_PAD: tuple[tuple[int, ...], int] = ((0,), 0)

VersionKey = tuple[int, tuple[object, ...], tuple[object, ...]]


def version_key(version: str) -> VersionKey:
    """Return a key that sorts versions as dpkg does: `~` before the end, the end before letters, letters before the
    rest."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return (int(epoch) if epoch.isdecimal() else 0, _part_key(upstream), _part_key(revision))


def _part_key(text: str) -> tuple[object, ...]:
    pairs = [((*map(_order, letters), 0), int(digits or 0)) for letters, digits in _PAIRS.findall(text)]
    while pairs and pairs[-1] == _PAD:
        pairs.pop()
    # dpkg compares until both versions end; the shorter one then continues with "" and 0.
    return (*(item for pair in (*pairs, _PAD) for item in pair), (0,))


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


@dataclass(frozen=True)
class Relation:
    """A relationship with one package. `operator` bounds its version: `<<`, `<=`, `=`, `>=`, `>>`, or "" for any."""

    name: str
    operator: str = ""
    version: str = ""

    def accepts(self, version: str) -> bool:
        """Return whether a version satisfies the bound."""
        if not self.operator:
            return True
        key, bound = version_key(version), version_key(self.version)
        return {
            "<<": key < bound,
            "<=": key <= bound,
            "=": key == bound,
            ">=": key >= bound,
            ">>": key > bound,
        }[self.operator]

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(:[a-z0-9-]+)?\s*(\((?P<op><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?\s*(\[.*\])?$",
    re.ASCII,
)


def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """Parse a relationship field: groups that must all be satisfied, each by any of its alternatives. Raises
    `ValueError` for a malformed group."""
    groups = []
    for group in filter(None, (g.strip() for g in text.split(","))):
        matches = [_RELATION.match(alternative.strip()) for alternative in group.split("|")]
        if not all(matches):
            raise ValueError(f"not a relationship: {group!r}")
        groups.append(tuple(Relation(m["name"], m["op"] or "", m["version"] or "") for m in matches if m))
    return tuple(groups)
