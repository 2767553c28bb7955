"""Read `Packages` indices: the packages of Debian suites. The format is Debian Policy's, chapter 5."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from pycomfy.core.debian.relationships import Relation, parse_relations, version_key
from pycomfy.core.lockfile.schema import DebianPackage
from pycomfy.core.validation import describe_error
from pycomfy.errors import NoDebianPackage

_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PRIORITIES = ("required", "important", "standard", "optional", "extra")


@dataclass(frozen=True)
class Stanza:
    """One package of an index. `archive` is the number of the mirror that the index is from, as in `Root.archives`."""

    text: str
    archive: int

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The fields by their name in lower case."""
        return {name.lower(): value.strip() for name, value in _FIELD.findall(self.text)}

    @property
    def name(self) -> str:
        """The name of the package; "" if the stanza has none."""
        return self.fields.get("package", "")

    @property
    def version(self) -> str:
        """The version of the package; "" if the stanza has none."""
        return self.fields.get("version", "")

    def relations(self, *fields: str) -> tuple[tuple[Relation, ...], ...]:
        """Return the relationships in these fields. Raises `NoDebianPackage` for a malformed field."""
        try:
            return tuple(group for f in fields for group in parse_relations(self.fields.get(f, "")))
        except ValueError as e:
            raise self._malformed(e) from e

    def satisfies(self, relation: Relation) -> bool:
        """Return whether the package satisfies a relation, by its name or by what it provides. A virtual package
        satisfies a bound on the version only if it is provided with a version (Policy 7.5)."""
        if self.name == relation.name:
            return relation.accepts(self.version)
        return any(
            p.name == relation.name and (not relation.operator or (p.version != "" and relation.accepts(p.version)))
            for group in self.relations("provides")
            for p in group
        )

    def pin(self) -> DebianPackage:
        """Return its entry in the lock. Raises `NoDebianPackage` if fields are missing or malformed."""
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
            raise self._malformed(e) from e

    def _malformed(self, why: Exception) -> NoDebianPackage:
        return NoDebianPackage(
            f'the entry of the Debian package "{self.name}" is malformed: {describe_error(why, "the entry")}',
            where="the Packages index of the mirror",
            fix="use another Debian mirror",
        )


class DebianIndex:
    """The packages of several suites. Of each name only the newest version counts, in whichever suite it is."""

    def __init__(self, indices: Iterable[tuple[int, str]]) -> None:
        """`indices`: for each suite the number of its mirror, and the text of its `Packages`."""
        self._newest: dict[str, Stanza] = {}
        for archive, text in indices:
            for stanza in _stanzas(text, archive):
                # Most of the 60,000 stanzas are never parsed: take the name from the first line.
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
        """Return the package with that name, else the most important one that provides it (by priority, then by
        name)."""
        named = self._newest.get(relation.name)
        if named is not None and named.satisfies(relation):
            return named
        providers = [s for s in self._providers.get(relation.name, ()) if s.satisfies(relation)]
        return min(providers, key=lambda s: (_priority(s), s.name), default=None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all packages, sorted."""
        return tuple(sorted(self._newest))

    def newest(self, name: str) -> str:
        """Return the newest version of a package, "" if there is no such package."""
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
