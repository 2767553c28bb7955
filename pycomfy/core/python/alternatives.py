"""Packages that are builds of one and the same thing and install the same files: of several of a family, one is kept.

Which one: that which has all that the others have, as far as the image can load it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pycomfy.core.python.requirements import RequirementLine, RequirementSet

ALL = "all"
"""Instead of a package: keep all of a family."""


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
    """`same_versions`: whether the members' versions mean the same, so that what is asked of one holds for another."""

    name: str
    members: tuple[Alternative, ...]
    same_versions: bool = True


@dataclass(frozen=True)
class TargetContext:
    """What the image has: its Debian packages, and the accelerator; None is the index's default, CUDA."""

    debian_packages: frozenset[str]
    accelerator: str | None = None

    @property
    def kind(self) -> str:
        return (self.accelerator or "cu").rstrip("0123456789.")


@dataclass(frozen=True)
class SelectedAlternative:
    """Of a family, `name` is kept and `dropped` are not installed. `why` is for people."""

    group: AlternativeGroup
    name: str
    dropped: tuple[str, ...]
    why: str


def _member(name: str, has: str = "", *, needs: str = "", kinds: str = "") -> Alternative:
    return Alternative(name, frozenset(has.split()), frozenset(needs.split()), tuple(kinds.split()))


ALTERNATIVE_GROUPS: tuple[AlternativeGroup, ...] = (
    AlternativeGroup(
        "opencv",
        (
            _member("opencv-python", "windows", needs="libgl1"),
            _member("opencv-contrib-python", "windows contrib", needs="libgl1"),
            _member("opencv-python-headless"),
            _member("opencv-contrib-python-headless", "contrib"),
        ),
    ),
    AlternativeGroup(
        "onnxruntime",
        (
            _member("onnxruntime", kinds="cpu"),
            _member("onnxruntime-gpu", "gpu", kinds="cu"),
            _member("onnxruntime-rocm", "gpu", kinds="rocm"),
            _member("onnxruntime-migraphx", "gpu", kinds="rocm"),
            _member("onnxruntime-openvino", "openvino", kinds="xpu"),
        ),
    ),
    AlternativeGroup(
        "tensorflow",
        (_member("tensorflow", "gpu", kinds="cu"), _member("tensorflow-cpu", kinds="cpu")),
    ),
    AlternativeGroup(
        "faiss",
        (
            _member("faiss-cpu", kinds="cpu"),
            _member("faiss-gpu", "gpu", kinds="cu"),
            _member("faiss-gpu-cu11", "gpu", kinds="cu"),
            _member("faiss-gpu-cu12", "gpu", kinds="cu"),
        ),
        same_versions=False,
    ),
    AlternativeGroup("pillow", (_member("pillow", "current"), _member("pillow-simd")), same_versions=False),
    AlternativeGroup("decord", (_member("decord"), _member("eva-decord", "current")), same_versions=False),
    AlternativeGroup("psycopg2", (_member("psycopg2-binary"), _member("psycopg2"))),
)

_NAMES: Mapping[str, AlternativeGroup] = {
    member.name: family for family in ALTERNATIVE_GROUPS for member in family.members
}


def select_alternatives(
    installed: Collection[str], around: TargetContext, chosen: Mapping[str, str] | None = None
) -> tuple[SelectedAlternative, ...]:
    """For each family of which several would be installed, which one is kept. `chosen` says it by the family's name:
    a package, or `ALL` to keep every one."""
    kept = []
    for family in ALTERNATIVE_GROUPS:
        there = [m for m in family.members if m.name in installed]
        own = (chosen or {}).get(family.name)
        choice = canonicalize_name(own) if own is not None else None
        if choice == ALL or (choice is None and len(there) < 2) or not there:
            continue
        if choice is not None:
            name, why = str(choice), "pycomfy.toml says so"
        else:
            best = _best(there, family, around)
            name, why = best.name, _why(best, there, around)
        dropped = tuple(m.name for m in there if m.name != name)
        if dropped:
            kept.append(SelectedAlternative(family, name, dropped, why))
    return tuple(kept)


def describe_selection(kept: SelectedAlternative) -> str:
    """A remark for the user."""
    *most, last = sorted({*kept.dropped, kept.name})
    names = f"{', '.join(most)} and {last}"
    own = f'to keep another: [families] {kept.group.name} = "PACKAGE", or "{ALL}"'
    return f"{names} install the same files; only {kept.name} is kept: {kept.why} ({own})"


def find_alternatives(package: str) -> tuple[str, str] | None:
    """The family of a package, and its plainest other member; None if it has none."""
    family = _NAMES.get(package)
    if family is None:
        return None
    others = [m for m in family.members if m.name != package]
    return family.name, min(others, key=lambda m: (len(m.features), len(m.debian_packages))).name


def unknown_choices(chosen: Mapping[str, str]) -> list[str]:
    """What is wrong with the user's choices: families that there are not, and packages that are in none of them."""
    families = {family.name: family for family in ALTERNATIVE_GROUPS}
    problems = []
    for name, package in sorted(chosen.items()):
        if name not in families:
            problems.append(f"there is no family {name}: only {', '.join(sorted(families))}")
            continue
        names = [m.name for m in families[name].members]
        if canonicalize_name(package) not in (*names, ALL):
            problems.append(f"{package} is not of the family {name}: that is {', '.join(names)}; or {ALL}")
    return problems


def replace_alternatives(
    wants: Sequence[RequirementSet], kept: Iterable[SelectedAlternative], environment: Mapping[str, str]
) -> tuple[RequirementSet, ...]:
    """What is wanted, with the kept package instead of those that are dropped, in the same versions where these mean
    the same. The requirements that replace others are marked so in `where`."""
    by_name = {name: one for one in kept for name in one.dropped}

    def change(asked: RequirementLine) -> RequirementLine:
        one = by_name.get(asked.name)
        if one is None or asked.direct_reference is not None:
            return asked
        try:
            old = Requirement(asked.text)
        except InvalidRequirement:
            return asked
        if old.marker is not None and not old.marker.evaluate(dict(environment)):
            return asked
        versions = str(old.specifier) if one.group.same_versions else ""
        marker = f"; {old.marker}" if old.marker is not None else ""
        text = str(Requirement(f"{one.name}{versions}{marker}"))
        return RequirementLine(text, one.name, f"{asked.where}, for {asked.text}")

    return tuple(
        RequirementSet(one.origin, tuple(map(change, one.requirements)), tuple(map(change, one.constraints)))
        for one in wants
    )


def _best(there: Sequence[Alternative], family: AlternativeGroup, around: TargetContext) -> Alternative:
    """The one that can be loaded, is for this accelerator, and has most of what those that are there have; of equals
    one that is there, then the first in the table."""
    wanted = frozenset().union(*(m.features for m in there))

    def fits(member: Alternative) -> tuple[bool, bool]:
        return (
            member.debian_packages <= around.debian_packages,
            not member.accelerators or around.kind in member.accelerators,
        )

    def key(member: Alternative) -> tuple[bool, bool, int, bool]:
        return *fits(member), len(member.features & wanted), member in there

    others = [m for m in family.members if m.features <= wanted and all(fits(m)) and not m.accelerators]
    return max([m for m in family.members if m in there or m in others], key=key)


def _why(best: Alternative, there: Sequence[Alternative], around: TargetContext) -> str:
    others = [m for m in there if m is not best]
    if missing := sorted(
        {need for m in others if not m.features <= best.features for need in m.debian_packages - around.debian_packages}
    ):
        return f"the image has no {', '.join(missing)}, which the others need"
    if best.accelerators and around.kind in best.accelerators:
        return f"it is the one for {around.accelerator or 'CUDA'}"
    if all(m.features <= best.features for m in others):
        return "it has all that the others have"
    return "it is the one that fits this image best"
