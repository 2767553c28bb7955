"""Resolve the Debian packages of an image: the requested ones and their dependencies, without the excluded ones."""

from collections import deque
from collections.abc import Mapping, Sequence

from pycomfy.core.debian.base_packages import EXCLUDED
from pycomfy.core.debian.debian_index import DebianIndex, Stanza
from pycomfy.core.debian.relationships import Relation
from pycomfy.core.lockfile.schema import DebianPackage
from pycomfy.errors import NoDebianPackage, PycomfyError, raise_all

IMAGE = "the image"
"""The dependent, in messages, of the packages that are requested themselves."""


def resolve_closure(
    index: DebianIndex, requested: Sequence[str], excluded: Mapping[str, str] = EXCLUDED
) -> tuple[DebianPackage, ...]:
    """Return the requested packages and their dependencies, sorted by name. A requested package is taken even if it is
    in `excluded`.

    Of alternatives the first that exists counts, unless another one is chosen already, as with apt. Raises
    `NoDebianPackage` for every missing package and every conflict, at once.
    """
    closure = _Closure(index, excluded)
    for name in sorted(set(requested)):
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
        self._pending: deque[Stanza] = deque()

    def run(self) -> None:
        """Add the dependencies of all packages, direct and indirect ones."""
        while self._pending:
            stanza = self._pending.popleft()
            try:
                groups = stanza.relations("pre-depends", "depends")
            except NoDebianPackage as e:
                self.problems.append(e)
                continue
            for group in groups:
                if not any(chosen.satisfies(r) for r in group for chosen in self.chosen.values()):
                    self._follow(group, stanza.name)

    def _follow(self, group: tuple[Relation, ...], dependent: str) -> None:
        """Add the first alternative that exists, unless it is excluded."""
        for relation in group:
            found = self.index.find(relation)
            if relation.name in self.excluded or (found is not None and found.name in self.excluded):
                return
            if found is not None:
                break
        self.add(group, dependent)

    def add(self, group: tuple[Relation, ...], dependent: str) -> None:
        """Add the first alternative that exists; if none does, that is a problem."""
        found = next((s for r in group if (s := self.index.find(r)) is not None), None)
        if found is None:
            self.problems.append(self._missing(group, dependent))
        elif found.name not in self.chosen:
            self.chosen[found.name] = found
            self._pending.append(found)

    def _missing(self, group: tuple[Relation, ...], dependent: str) -> NoDebianPackage:
        names = " or ".join(f'"{r}"' for r in group)
        newest = [f"{r.name} {v}" for r in group if (v := self.index.newest(r.name))]
        has = f"; the mirror has {', '.join(newest)}" if newest else ""
        return NoDebianPackage(
            f"no Debian package {names}{has}",
            where=f"required by {dependent}",
            fix="correct the name: `apt-cache search WORD` finds packages"
            if dependent == IMAGE
            else "try again later, or use another mirror: this one may be in the middle of an update",
        )

    def check_conflicts(self) -> None:
        """Collect a problem for each pair of chosen packages that exclude each other."""
        for name, stanza in sorted(self.chosen.items()):
            for relation in (r for group in stanza.relations("conflicts", "breaks") for r in group):
                self.problems += [
                    NoDebianPackage(
                        f"{name} cannot be installed together with {other.name} {other.version}",
                        where=f"{name} conflicts with {relation}",
                        fix=f"leave out {name} or {other.name}",
                    )
                    for other in self.chosen.values()
                    if other is not stanza and other.satisfies(relation)
                ]
