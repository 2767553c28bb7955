"""Which Debian packages an image is made of: reads `Packages` indices and closes over dependencies.

The rules are Debian Policy's, chapters 5 (control files) and 7 (relationships), and deb-version(7). Versions are
compared here: python-debian is GPL, and debian-inspector refuses versions such as `2.5~`, which dependencies do name.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from pydantic import ValidationError

from pycomfy.core.lockfile.schema import DebianPackage
from pycomfy.errors import NoDebianPackage, PycomfyError, raise_all

BASE_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "base-files": "the folders, os-release, the common licences",
        "base-passwd": "the users and groups every Debian has",
        "bash": "scripts of node packs, and a person who looks inside",
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
"""What every image has, and why. `base_packages` adds Python; their dependencies follow."""

EXCLUDED: Mapping[str, str] = MappingProxyType(
    {
        "awk": "base-files names it for its own installation script",
        "debconf": "asks questions while packages are installed; none are",
        "debianutils": "add-shell and the like, for installation scripts",
        "dpkg": "nothing is installed into an image",
        "init-system-helpers": "there are no services",
        "install-info": "there is no info documentation",
        "libdebconfclient0": "base-passwd's installation script",
        "libegl-mesa0": "drags in Mesa and LLVM; NVIDIA's own EGL is mounted by its container toolkit",
        "libglx-mesa0": "drags in Mesa and LLVM; a CUDA image needs no more than libGL's symbols",
        "libx11-data": "keyboard and locale data of X; there is no display",
        "openssl": "the program is called only to index certificates when they are installed; the library is libssl3",
        "perl": "installation scripts",
        "perl-base": "installation scripts",
        "readline-common": "key bindings of an interactive shell",
        "ucf": "merges configuration files while packages are installed",
    }
)
"""Dependencies that are not followed, and why: most serve only maintainer scripts, which are never run."""


def base_packages(python: str) -> tuple[str, ...]:
    """The names an image starts from, sorted."""
    return tuple(sorted([*BASE_PACKAGES, f"python{python}"]))


# — versions —

_PAIRS = re.compile(r"([^0-9]*)([0-9]*)")
_PAD: tuple[tuple[int, ...], int] = ((0,), 0)

VersionKey = tuple[int, tuple[object, ...], tuple[object, ...]]


def version_key(version: str) -> VersionKey:
    """A key that sorts versions as dpkg does: `~` before the end, the end before letters, letters before the rest."""
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
    # dpkg goes on comparing as long as either version has something left, the other one giving "" and 0.
    return (*(item for pair in (*pairs, _PAD) for item in pair), (0,))


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


# — relationships —


@dataclass(frozen=True)
class Relation:
    """One package asked for. `operator` bounds its version: `<<`, `<=`, `=`, `>=`, `>>`, or "" for any."""

    name: str
    operator: str = ""
    version: str = ""

    def accepts(self, version: str) -> bool:
        if not self.operator:
            return True
        have, bound = version_key(version), version_key(self.version)
        return {
            "<<": have < bound,
            "<=": have <= bound,
            "=": have == bound,
            ">=": have >= bound,
            ">>": have > bound,
        }[self.operator]

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(:[a-z0-9-]+)?\s*(\((?P<op><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?\s*(\[.*\])?$",
    re.ASCII,
)


def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """A relationship field: all of the outer, any of the inner. Raises `ValueError` for what is none."""
    groups = []
    for group in filter(None, (g.strip() for g in text.split(","))):
        matches = [_RELATION.match(alternative.strip()) for alternative in group.split("|")]
        if not all(matches):
            raise ValueError(f"no relationship: {group!r}")
        groups.append(tuple(Relation(m["name"], m["op"] or "", m["version"] or "") for m in matches if m))
    return tuple(groups)


# — index —

_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PRIORITIES = ("required", "important", "standard", "optional", "extra")


@dataclass(frozen=True)
class Stanza:
    """One package of an index. `archive` says which archive the index belongs to, as in `Root.archives`."""

    text: str
    archive: int

    @cached_property
    def fields(self) -> Mapping[str, str]:
        return {name.lower(): value.strip() for name, value in _FIELD.findall(self.text)}

    @property
    def name(self) -> str:
        return self.fields.get("package", "")

    @property
    def version(self) -> str:
        return self.fields.get("version", "")

    def relations(self, *fields: str) -> tuple[tuple[Relation, ...], ...]:
        """The relationships in these fields. Raises `NoDebianPackage` for a field that is none."""
        try:
            return tuple(group for f in fields for group in parse_relations(self.fields.get(f, "")))
        except ValueError as e:
            raise self._wrong(e) from e

    def satisfies(self, relation: Relation) -> bool:
        """By its name, or by what it provides; a bound on the version needs a version provided (Policy 7.5)."""
        if self.name == relation.name:
            return relation.accepts(self.version)
        return any(
            p.name == relation.name and (not relation.operator or (p.version != "" and relation.accepts(p.version)))
            for group in self.relations("provides")
            for p in group
        )

    def pin(self) -> DebianPackage:
        """Its entry in the lock. Raises `NoDebianPackage` if the index says something impossible."""
        try:
            return DebianPackage(
                name=self.name,
                version=self.version,
                archive=self.archive,
                path=self.fields.get("filename", "").removeprefix("./"),
                sha256=self.fields.get("sha256", ""),
                size=int(self.fields.get("size", "")),
            )
        except (ValidationError, ValueError) as e:
            raise self._wrong(e) from e

    def _wrong(self, why: Exception) -> NoDebianPackage:
        return NoDebianPackage(
            f'the archive describes the package "{self.name}" wrongly: {why}',
            where="its Packages index",
            fix="use another mirror of the Debian archive",
        )


class DebianIndex:
    """The packages of several suites. Of each name only the newest version counts, whichever suite has it."""

    def __init__(self, indices: Iterable[tuple[int, str]]) -> None:
        """`indices`: for each suite the number of its archive, and the text of its `Packages`."""
        self._newest: dict[str, Stanza] = {}
        for archive, text in indices:
            for stanza in _stanzas(text, archive):
                # Most of the 60,000 stanzas are never looked into: take the name from the first line.
                name = stanza.text[: stanza.text.find("\n")].partition(":")[2].strip()
                old = self._newest.setdefault(name, stanza)
                if old is not stanza and version_key(stanza.version) > version_key(old.version):
                    self._newest[name] = stanza
        self._providers: dict[str, list[Stanza]] = {}
        for stanza in self._newest.values():
            if "\nProvides:" in stanza.text:
                for group in stanza.relations("provides"):
                    self._providers.setdefault(group[0].name, []).append(stanza)

    def find(self, relation: Relation) -> Stanza | None:
        """The package of that name, else the most important one that provides it (by priority, then by name)."""
        named = self._newest.get(relation.name)
        if named is not None and named.satisfies(relation):
            return named
        providers = [s for s in self._providers.get(relation.name, ()) if s.satisfies(relation)]
        return min(providers, key=lambda s: (_priority(s), s.name), default=None)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all packages, sorted."""
        return tuple(sorted(self._newest))

    def newest(self, name: str) -> str:
        """The newest version of a name, "" if there is no such package."""
        stanza = self._newest.get(name)
        return stanza.version if stanza else ""


def _stanzas(text: str, archive: int) -> Iterator[Stanza]:
    for part in text.split("\n\n"):
        stanza = part.strip("\n")
        if stanza.startswith("Package:"):
            yield Stanza(stanza, archive)


def _priority(stanza: Stanza) -> int:
    priority = stanza.fields.get("priority", "optional")
    return _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)


# — closure —

IMAGE = "the image"
"""Who wants the packages that nobody depends on."""


def resolve_closure(
    index: DebianIndex, wanted: Sequence[str], excluded: Mapping[str, str] = EXCLUDED
) -> tuple[DebianPackage, ...]:
    """`wanted` and all they depend on, sorted by name. A name in `wanted` is taken even if it is in `excluded`.

    Of alternatives the first that is there counts, unless another one is chosen already, as with apt.
    Raises `NoDebianPackage` for every package missing, and every conflict, at once.
    """
    closure = _Closure(index, excluded)
    for name in sorted(set(wanted)):
        closure.add((Relation(name),), IMAGE)
    closure.run()
    closure.check_conflicts()
    raise_all(closure.problems)
    return tuple(stanza.pin() for _, stanza in sorted(closure.chosen.items()))


class _Closure:
    def __init__(self, index: DebianIndex, excluded: Mapping[str, str]) -> None:
        self.index = index
        self.excluded = excluded
        self.chosen: dict[str, Stanza] = {}
        self.problems: list[PycomfyError] = []
        self._todo: deque[Stanza] = deque()

    def run(self) -> None:
        while self._todo:
            stanza = self._todo.popleft()
            try:
                groups = stanza.relations("pre-depends", "depends")
            except NoDebianPackage as e:
                self.problems.append(e)
                continue
            for group in groups:
                if not any(chosen.satisfies(r) for r in group for chosen in self.chosen.values()):
                    self._follow(group, stanza.name)

    def _follow(self, group: tuple[Relation, ...], asker: str) -> None:
        """The first alternative that is there decides: it is excluded, or it is added."""
        for relation in group:
            found = self.index.find(relation)
            if relation.name in self.excluded or (found is not None and found.name in self.excluded):
                return
            if found is not None:
                break
        self.add(group, asker)

    def add(self, group: tuple[Relation, ...], asker: str) -> None:
        found = next((s for r in group if (s := self.index.find(r)) is not None), None)
        if found is None:
            self.problems.append(self._missing(group, asker))
        elif found.name not in self.chosen:
            self.chosen[found.name] = found
            self._todo.append(found)

    def _missing(self, group: tuple[Relation, ...], asker: str) -> NoDebianPackage:
        names = " or ".join(f'"{r}"' for r in group)
        newest = [f"{r.name} {v}" for r in group if (v := self.index.newest(r.name))]
        has = f"; the archive has {', '.join(newest)}" if newest else ""
        return NoDebianPackage(
            f"no Debian package {names}{has}",
            where=f"wanted by {asker}",
            fix="correct the name: `apt-cache search WORD` finds packages"
            if asker == IMAGE
            else "try again later, or use another mirror: the archive may be in the middle of an update",
        )

    def check_conflicts(self) -> None:
        for name, stanza in sorted(self.chosen.items()):
            for relation in (r for group in stanza.relations("conflicts", "breaks") for r in group):
                self.problems += [
                    NoDebianPackage(
                        f"{name} cannot be together with {other.name} {other.version}",
                        where=f"{name} conflicts with {relation}",
                        fix=f"leave out {name} or {other.name}",
                    )
                    for other in self.chosen.values()
                    if other is not stanza and other.satisfies(relation)
                ]
