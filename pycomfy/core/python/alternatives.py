"""Select among alternatives: distributions that install the same files. Of several that are required, one is kept.

The one is kept that has all features of the others, as far as the image can load it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.core.lockfile.alternatives import ALL, ALTERNATIVES, SECTION, Alternative, Alternatives
from pycomfy.core.python.requirements import RequirementLine, RequirementSet


@dataclass(frozen=True)
class TargetContext:
    """What the image has: its Debian packages, and the accelerator; None is the default of the index, CUDA."""

    debian_packages: frozenset[str]
    accelerator: str | None = None

    @property
    def kind(self) -> str:
        """The accelerator without its version: "cu" for "cu128"."""
        return (self.accelerator or "cu").rstrip("0123456789.")


@dataclass(frozen=True)
class SelectedAlternative:
    """Of `alternatives`, the one called `name` is kept, and `dropped` are not installed. `why` is for people."""

    alternatives: Alternatives
    name: str
    dropped: tuple[str, ...]
    why: str


_BY_PACKAGE: Mapping[str, Alternatives] = {
    m.name: alternatives for alternatives in ALTERNATIVES for m in alternatives.members
}


def select_alternatives(
    required: Collection[str], context: TargetContext, chosen: Mapping[str, str] | None = None
) -> tuple[SelectedAlternative, ...]:
    """Return which one is kept where several alternatives are required. `chosen` are the user's choices by the name of
    the alternatives: a package, or `ALL` to keep all."""
    selected = []
    for alternatives in ALTERNATIVES:
        present = [m for m in alternatives.members if m.name in required]
        configured = (chosen or {}).get(alternatives.name)
        choice = canonicalize_name(configured) if configured is not None else None
        if choice == ALL or (choice is None and len(present) < 2) or not present:
            continue
        if choice is not None:
            name, why = str(choice), "as set in pycomfy.toml"
        else:
            best = _best(present, alternatives, context)
            name, why = best.name, _why(best, present, context)
        dropped = tuple(m.name for m in present if m.name != name)
        if dropped:
            selected.append(SelectedAlternative(alternatives, name, dropped, why))
    return tuple(selected)


def describe_selection(selected: SelectedAlternative) -> str:
    """Return a note for the user."""
    *most, last = sorted({*selected.dropped, selected.name})
    names = f"{', '.join(most)} and {last}"
    other = f'to keep another: [{SECTION}] {selected.alternatives.name} = "PACKAGE", or "{ALL}"'
    return f"{names} install the same files; only {selected.name} is kept: {selected.why} ({other})"


def find_alternatives(package: str) -> tuple[str, str] | None:
    """Return the name of a package's alternatives, and the one of them with the fewest features and dependencies; None
    if it has none."""
    alternatives = _BY_PACKAGE.get(package)
    if alternatives is None:
        return None
    others = [m for m in alternatives.members if m.name != package]
    return alternatives.name, min(others, key=lambda m: (len(m.features), len(m.debian_packages))).name


def replace_alternatives(
    requirement_sets: Sequence[RequirementSet],
    selections: Iterable[SelectedAlternative],
    environment: Mapping[str, str],
) -> tuple[RequirementSet, ...]:
    """Return the requirements with the kept alternatives in place of the dropped ones, in the same versions where these
    mean the same. `where` of a changed requirement names the original one."""
    by_name = {name: selected for selected in selections for name in selected.dropped}

    def change(line: RequirementLine) -> RequirementLine:
        selected = by_name.get(line.name)
        if selected is None or line.direct_reference is not None:
            return line
        try:
            old = Requirement(line.text)
        except ValueError:
            return line
        if old.marker is not None and not old.marker.evaluate(dict(environment)):
            return line
        versions = str(old.specifier) if selected.alternatives.same_versions else ""
        marker = f"; {old.marker}" if old.marker is not None else ""
        text = str(Requirement(f"{selected.name}{versions}{marker}"))
        return RequirementLine(text, selected.name, f"{line.where}, for {line.text}")

    return tuple(
        RequirementSet(one.origin, tuple(map(change, one.requirements)), tuple(map(change, one.constraints)))
        for one in requirement_sets
    )


def _best(present: Sequence[Alternative], alternatives: Alternatives, context: TargetContext) -> Alternative:
    """The alternative that can be loaded, is for this accelerator, and has most features of the present ones; of equal
    ones one that is present, then the first in the table."""
    features = frozenset().union(*(m.features for m in present))

    def fits(member: Alternative) -> tuple[bool, bool]:
        return (
            member.debian_packages <= context.debian_packages,
            not member.accelerators or context.kind in member.accelerators,
        )

    def key(member: Alternative) -> tuple[bool, bool, int, bool]:
        return *fits(member), len(member.features & features), member in present

    others = [m for m in alternatives.members if m.features <= features and all(fits(m)) and not m.accelerators]
    return max([m for m in alternatives.members if m in present or m in others], key=key)


def _why(best: Alternative, present: Sequence[Alternative], context: TargetContext) -> str:
    others = [m for m in present if m is not best]
    if missing := sorted(
        {
            need
            for m in others
            if not m.features <= best.features
            for need in m.debian_packages - context.debian_packages
        }
    ):
        return f"the image has no {', '.join(missing)}, which the others need"
    if best.accelerators and context.kind in best.accelerators:
        return f"it is the one for {context.accelerator or 'CUDA'}"
    if all(m.features <= best.features for m in others):
        return "it has all features of the others"
    return "it is the one that fits this image best"
