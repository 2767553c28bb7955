"""Select among alternatives: distributions that install the same files. Of several that are required, one is kept.

The one is kept that has all features of the others, as far as the image can load it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pycomfy.core.python.requirements import RequirementLine, RequirementSet

ALL = "all"
"""In place of a package: keep all alternatives."""


@dataclass(frozen=True)
class Alternative:
    """One of several distributions that install the same files. `features` is what it offers beyond what all of them
    do; without its `debian_packages` it cannot be loaded; `accelerators` are prefixes of the accelerators it is for."""

    name: str
    features: frozenset[str] = frozenset()
    debian_packages: frozenset[str] = frozenset()
    accelerators: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlternativeGroup:
    """Distributions of which an image needs one. With `same_versions`, their versions mean the same, so that a
    constraint on one applies to another."""

    name: str
    members: tuple[Alternative, ...]
    same_versions: bool = True


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
    """Of a group, `name` is kept and `dropped` are not installed. `why` is for people."""

    group: AlternativeGroup
    name: str
    dropped: tuple[str, ...]
    why: str


def _member(name: str, features: str = "", *, debian: str = "", accelerators: str = "") -> Alternative:
    return Alternative(name, frozenset(features.split()), frozenset(debian.split()), tuple(accelerators.split()))


ALTERNATIVE_GROUPS: tuple[AlternativeGroup, ...] = (
    AlternativeGroup(
        "opencv",
        (
            _member("opencv-python", "windows", debian="libgl1"),
            _member("opencv-contrib-python", "windows contrib", debian="libgl1"),
            _member("opencv-python-headless"),
            _member("opencv-contrib-python-headless", "contrib"),
        ),
    ),
    AlternativeGroup(
        "onnxruntime",
        (
            _member("onnxruntime", accelerators="cpu"),
            _member("onnxruntime-gpu", "gpu", accelerators="cu"),
            _member("onnxruntime-rocm", "gpu", accelerators="rocm"),
            _member("onnxruntime-migraphx", "gpu", accelerators="rocm"),
            _member("onnxruntime-openvino", "openvino", accelerators="xpu"),
        ),
    ),
    AlternativeGroup(
        "tensorflow",
        (_member("tensorflow", "gpu", accelerators="cu"), _member("tensorflow-cpu", accelerators="cpu")),
    ),
    AlternativeGroup(
        "faiss",
        (
            _member("faiss-cpu", accelerators="cpu"),
            _member("faiss-gpu", "gpu", accelerators="cu"),
            _member("faiss-gpu-cu11", "gpu", accelerators="cu"),
            _member("faiss-gpu-cu12", "gpu", accelerators="cu"),
        ),
        same_versions=False,
    ),
    AlternativeGroup("pillow", (_member("pillow", "current"), _member("pillow-simd")), same_versions=False),
    AlternativeGroup("decord", (_member("decord"), _member("eva-decord", "current")), same_versions=False),
    AlternativeGroup("psycopg2", (_member("psycopg2-binary"), _member("psycopg2"))),
)

_NAMES: Mapping[str, AlternativeGroup] = {
    member.name: group for group in ALTERNATIVE_GROUPS for member in group.members
}


def select_alternatives(
    required: Collection[str], context: TargetContext, chosen: Mapping[str, str] | None = None
) -> tuple[SelectedAlternative, ...]:
    """Return the kept alternative of each group with several required ones. `chosen` are the user's choices by the name
    of the group: a package, or `ALL` to keep all."""
    selected = []
    for group in ALTERNATIVE_GROUPS:
        present = [m for m in group.members if m.name in required]
        configured = (chosen or {}).get(group.name)
        choice = canonicalize_name(configured) if configured is not None else None
        if choice == ALL or (choice is None and len(present) < 2) or not present:
            continue
        if choice is not None:
            name, why = str(choice), "as set in pycomfy.toml"
        else:
            best = _best(present, group, context)
            name, why = best.name, _why(best, present, context)
        dropped = tuple(m.name for m in present if m.name != name)
        if dropped:
            selected.append(SelectedAlternative(group, name, dropped, why))
    return tuple(selected)


def describe_selection(selected: SelectedAlternative) -> str:
    """Return a note for the user."""
    *most, last = sorted({*selected.dropped, selected.name})
    names = f"{', '.join(most)} and {last}"
    other = f'to keep another: [families] {selected.group.name} = "PACKAGE", or "{ALL}"'
    return f"{names} install the same files; only {selected.name} is kept: {selected.why} ({other})"


def find_alternatives(package: str) -> tuple[str, str] | None:
    """Return the name of a package's group, and the alternative with the fewest features and dependencies; None if the
    package has no alternatives."""
    group = _NAMES.get(package)
    if group is None:
        return None
    others = [m for m in group.members if m.name != package]
    return group.name, min(others, key=lambda m: (len(m.features), len(m.debian_packages))).name


def unknown_choices(chosen: Mapping[str, str]) -> list[str]:
    """Return the problems of the user's choices: unknown groups, and packages that are not in their group."""
    groups = {group.name: group for group in ALTERNATIVE_GROUPS}
    problems = []
    for name, package in sorted(chosen.items()):
        if name not in groups:
            problems.append(f"[families] there is no {name}, only {', '.join(sorted(groups))}")
            continue
        names = [m.name for m in groups[name].members]
        if canonicalize_name(package) not in (*names, ALL):
            problems.append(f"[families] {name}: {package} is not one of {', '.join(names)}, or {ALL}")
    return problems


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
        except InvalidRequirement:
            return line
        if old.marker is not None and not old.marker.evaluate(dict(environment)):
            return line
        versions = str(old.specifier) if selected.group.same_versions else ""
        marker = f"; {old.marker}" if old.marker is not None else ""
        text = str(Requirement(f"{selected.name}{versions}{marker}"))
        return RequirementLine(text, selected.name, f"{line.where}, for {line.text}")

    return tuple(
        RequirementSet(one.origin, tuple(map(change, one.requirements)), tuple(map(change, one.constraints)))
        for one in requirement_sets
    )


def _best(present: Sequence[Alternative], group: AlternativeGroup, context: TargetContext) -> Alternative:
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

    others = [m for m in group.members if m.features <= features and all(fits(m)) and not m.accelerators]
    return max([m for m in group.members if m in present or m in others], key=key)


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
