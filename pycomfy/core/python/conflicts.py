"""Explain conflicts of requirements: the constraints of each origin, and overrides that may resolve them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from pycomfy.core.lockfile.package_indexes import ACCELERATOR
from pycomfy.core.lockfile.toml import at_top, render_list
from pycomfy.core.python.requirements import RequirementSet
from pycomfy.core.python.specifiers import parse_specifiers

MAX_CANDIDATES = 12
MAX_SPECIFIC = 4
"""After so many of a package's constraints, any version of it is tried."""

_NAME = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_VERSIONS = r"(?:(?:[<>=!~]=?|===)[^\s,]+(?:,(?=[<>=!~]))?)*"
_DEPENDS = re.compile(
    rf"\b(?P<who>(?:all versions of )?{_NAME}{_VERSIONS}) depends? on (?P<name>{_NAME})(?:\[[^\]]*\])?"
    rf"(?P<spec>{_VERSIONS})"
)
_CONCLUSION = re.compile(
    r"(?:^Because |we can conclude that )(?P<fact>(?:(?!we can conclude that |\.? And because ).)+)"
    r"\.? And because (?P<why>(?:(?!we can conclude that ).)+)"
    r", we can conclude that your requirements are unsatisfiable$"
)
_LABELLED = re.compile(rf"\b({_NAME})===?([0-9][0-9a-z.!]*)\+([a-z0-9.]+?)\b(?![.\w])")
_ONE = rf"{_NAME}(?:\[[^\]]*\])?{_VERSIONS}"
_REQUIRE = re.compile(
    rf"\byou require (?P<first>{_ONE})(?: and (?P<second>{_ONE})(?! depends?\b| ha[sv]e?\b| (?:is|are)\b))?"
)


@dataclass(frozen=True)
class Constraint:
    """The versions of a package that an origin allows: "ComfyUI", "pack a", or another package."""

    origin: str
    name: str
    versions: SpecifierSet
    text: str

    def accepts(self, version: Version) -> bool:
        """Return whether a version satisfies the constraint."""
        return self.versions.contains(version, prereleases=True)


@dataclass(frozen=True)
class Override:
    """Overrides with which there is a solution, or which leave only the problem that `remaining` explains.
    `accepted_by` and `rejected_by` are the origins whose constraints these versions satisfy and violate."""

    overrides: tuple[str, ...]
    accepted_by: tuple[str, ...] = ()
    rejected_by: tuple[str, ...] = ()
    remaining: str = ""


def find_constraints(
    requirement_sets: Iterable[RequirementSet], explanation: str, environment: Mapping[str, str]
) -> tuple[Constraint, ...]:
    """Return all constraints on the packages in the resolver's `explanation`: those of the origins, as far as their
    markers hold in `environment`, and those of other packages, as far as the explanation has them."""
    lines = [(one.origin, line.text) for one in requirement_sets for line in (*one.requirements, *one.constraints)]
    own = [c for origin, text in lines if (c := _parse_constraint(origin, text, environment)) is not None]
    dependencies = [
        (m["who"].removeprefix("all versions of "), m["name"] + m["spec"].rstrip(","))
        for m in _DEPENDS.finditer(explanation)
    ]
    others = [c for package, text in dependencies if (c := _parse_constraint(package, text, {})) is not None]
    named = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", explanation)}
    return tuple(dict.fromkeys(c for c in (*own, *others) if c.name in named))


def _parse_constraint(origin: str, text: str, environment: Mapping[str, str]) -> Constraint | None:
    try:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate(dict(environment)):
            return None
    except ValueError:
        return None
    versions = parse_specifiers(str(requirement.specifier))
    return Constraint(origin, canonicalize_name(requirement.name), versions, text) if versions is not None else None


def list_override_candidates(constraints: Sequence[Constraint], overridden: Iterable[str] = ()) -> list[str]:
    """Return overrides to try, the most promising first: for packages with different constraints the versions that each
    allows, then any version. Packages in `overridden` have an override already."""
    counts: dict[str, Counter[str]] = {}
    for constraint in constraints:
        counts.setdefault(constraint.name, Counter())[str(constraint.versions)] += 1
    for name in overridden:
        counts.pop(name, None)
    names = sorted(counts, key=lambda name: (-len(counts[name]), name))

    def allowed(name: str) -> list[str]:
        # Those of most origins first; of equal ones the newer versions.
        def key(versions: str) -> tuple[int, bool, bool]:
            return -counts[name][versions], versions[:1] != ">", versions[:1] not in ("=", "~")

        versions = sorted(sorted(counts[name], key=_newest, reverse=True), key=key)
        return [f"{name}{v}" for v in versions if v]

    contested = [name for name in names if len(counts[name]) > 1]
    candidates: list[str] = []
    for name in contested:
        specific = allowed(name)
        candidates += [*specific[:MAX_SPECIFIC], name, *specific[MAX_SPECIFIC:]]
    candidates += [name for name in names if set(counts[name]) != {""}]
    candidates += [text for name in names for text in allowed(name)]
    return list(dict.fromkeys(candidates))[:MAX_CANDIDATES]


def _newest(versions: str) -> tuple[Version, str]:
    """The newest version that a specifier names, to sort by."""
    named = [v for one in SpecifierSet(versions) if (v := _version(one.version.removesuffix(".*"))) is not None]
    return max(named, default=Version("0")), versions


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:
        return None


def evaluate_override(
    overrides: Sequence[str],
    constraints: Iterable[Constraint],
    existing: Sequence[str] = (),
    resolved: Mapping[str, str] = MappingProxyType({}),
) -> Override:
    """Return which origins accept exact overrides, each `name==version`, added to the `existing` ones.

    `resolved` are the versions of all packages with them: what other versions of these depend on does not matter.
    """
    versions: dict[str, Version] = {
        canonicalize_name(p.name): Version(next(iter(p.specifier)).version) for p in map(Requirement, overrides)
    }
    concerned = [c for c in constraints if c.name in versions and _is_resolved(c.origin, resolved)]
    rejected_by = dict.fromkeys(c.origin for c in concerned if not c.accepts(versions[c.name]))
    accepted_by = dict.fromkeys(c.origin for c in concerned if c.origin not in rejected_by)
    return Override((*existing, *overrides), tuple(accepted_by), tuple(rejected_by))


def _is_resolved(origin: str, resolved: Mapping[str, str]) -> bool:
    """Return whether an origin may be among the resolved packages: "x>=2" is not with x 1."""
    try:
        package = Requirement(origin)
        version = _version(resolved.get(canonicalize_name(package.name), ""))
        return version is None or package.specifier.contains(version, prereleases=True)
    except ValueError:
        return True


def best_override(overrides: Iterable[Override]) -> Override | None:
    """Return the one that the fewest origins reject and the most accept; of equal ones that with the newest version."""

    def key(override: Override) -> tuple[int, int, Version, str]:
        last = Requirement(override.overrides[-1])
        return (
            -len(override.rejected_by),
            len(override.accepted_by),
            Version(next(iter(last.specifier)).version),
            last.name,
        )

    return max(overrides, key=key, default=None)


def pin(name: str, version: str) -> str | None:
    """Return the override `name==version`, without the label of a PyTorch build; None if that is not a version."""
    try:
        return f"{name}=={Version(version).public}"
    except ValueError:
        return None


def conclusion(explanation: str) -> str:
    """Return the last step of the resolver's explanation: the fact that it derived, and the requirements that do not go
    with it. All of the explanation, if it has another form."""
    found = _CONCLUSION.search(explanation)
    if found is None:
        return explanation
    fact = re.sub(r"one of: (.*)", lambda m: " or ".join(m[1].split()), found["fact"])
    return f"{fact}, and {found['why']}"


def find_labelled(explanation: str) -> tuple[str, str, str] | None:
    """Return a required build of PyTorch's for an accelerator that no index has: its name, its version without the
    label, and the accelerator: "torch", "2.5.1", "cu121"."""
    for match in _LABELLED.finditer(explanation):
        if ACCELERATOR.fullmatch(match[3]):
            return match[1], match[2], match[3]
    return None


def describe_pin(name: str, version: str, replaces: bool) -> str:
    """Return the line for pycomfy.toml that takes this version whatever anyone requires."""
    return at_top(render_list("overrides", [f"{name}=={version}"]), "overrides" if replaces else "")


def name_origins(explanation: str, requirement_sets: Sequence[RequirementSet]) -> str:
    """Return the explanation with the origins in place of "you require"."""

    def replace(match: re.Match[str]) -> str:
        clauses = [_describe_origins(text, requirement_sets) for text in (match["first"], match["second"]) if text]
        return " and ".join(clauses) if all(clauses) else match[0]

    text = _REQUIRE.sub(replace, explanation)
    return text.replace("we can conclude that your requirements are unsatisfiable", "they cannot all be satisfied")


def _describe_origins(text: str, requirement_sets: Sequence[RequirementSet]) -> str:
    """Return "pack a requires x<2"; "" if no origin requires exactly that."""
    try:
        requirement = Requirement(text.rstrip(","))
    except ValueError:
        return ""
    origins = _find_origins(requirement.name, str(requirement.specifier), requirement_sets)
    return f"{_join(origins)} {'requires' if len(origins) == 1 else 'require'} {text}" if origins else ""


def _find_origins(name: str, spec: str, requirement_sets: Sequence[RequirementSet]) -> list[str]:
    versions = parse_specifiers(spec)
    if versions is None:
        return []
    found = [
        one.origin
        for one in requirement_sets
        for line in (*one.requirements, *one.constraints)
        if line.name == canonicalize_name(name) and parse_specifiers(str(Requirement(line.text).specifier)) == versions
    ]
    return list(dict.fromkeys(found))


def describe_override(override: Override, *, replaces: bool = False) -> str:
    """Return the line for pycomfy.toml, in place of one that it has if it `replaces` that, and the origins that accept
    it."""
    line = at_top(render_list("overrides", override.overrides), "overrides" if replaces else "")
    if override.remaining:
        return f"{line}: that resolves this conflict, and leaves: {override.remaining}"
    parts = [f"fine for {_join(override.accepted_by)}"] if override.accepted_by else []
    if override.rejected_by:
        parts.append(f"not what {_join(override.rejected_by)} requires")
    return f"{line}: with it everything resolves ({', '.join(parts)})"


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
