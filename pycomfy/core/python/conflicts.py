"""Requirements that contradict one another: who wants what of a package, and which overrides might settle it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pycomfy.core.lockfile.toml import render_list
from pycomfy.core.python.requirements import RequirementSet

MAX_CANDIDATES = 12

_NAME = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_VERSIONS = r"(?:(?:[<>=!~]=?|===)[^\s,]+(?:,(?=[<>=!~]))?)*"
_DEPENDS = re.compile(
    rf"\b(?P<who>(?:all versions of )?{_NAME}{_VERSIONS}) depends? on (?P<name>{_NAME})(?:\[[^\]]*\])?"
    rf"(?P<spec>{_VERSIONS})"
)
_ONE = rf"{_NAME}(?:\[[^\]]*\])?{_VERSIONS}"
_REQUIRE = re.compile(
    rf"\byou require (?P<first>{_ONE})(?: and (?P<second>{_ONE})(?! depends?\b| ha[sv]e?\b| (?:is|are)\b))?"
)


@dataclass(frozen=True)
class Constraint:
    """Somebody wants these versions of a package. `origin` is an origin, such as "pack a", or another package."""

    origin: str
    name: str
    versions: SpecifierSet
    text: str

    def accepts(self, version: Version) -> bool:
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
    wants: Iterable[RequirementSet], said: str, environment: Mapping[str, str]
) -> tuple[Constraint, ...]:
    """All that is wanted of the packages that the resolver's explanation `said` is about: by origins, where their
    markers hold in `environment`, and by other packages, as far as it says so."""
    asked = [(w.origin, a.text) for w in wants for a in (*w.requirements, *w.constraints)]
    own = [d for origin, text in asked if (d := _demand(origin, text, environment)) is not None]
    told = [
        (m["who"].removeprefix("all versions of "), m["name"] + m["spec"].rstrip(",")) for m in _DEPENDS.finditer(said)
    ]
    others = [d for who, text in told if (d := _demand(who, text, {})) is not None]
    named = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", said)}
    return tuple(dict.fromkeys(d for d in (*own, *others) if d.name in named))


def _demand(who: str, text: str, environment: Mapping[str, str]) -> Constraint | None:
    try:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate(dict(environment)):
            return None
    except (InvalidRequirement, InvalidSpecifier):
        return None
    return Constraint(who, canonicalize_name(requirement.name), requirement.specifier, text)


def list_override_candidates(demands: Sequence[Constraint], settled: Iterable[str] = ()) -> list[str]:
    """Overrides to try, the most promising first: of the packages on which demands differ, what each demand allows, and
    then any version at all. Packages in `settled` have an override already."""
    asked: dict[str, Counter[str]] = {}
    for demand in demands:
        asked.setdefault(demand.name, Counter())[str(demand.versions)] += 1
    for name in settled:
        asked.pop(name, None)
    names = sorted(asked, key=lambda name: (-len(asked[name]), name))

    def allowed(name: str) -> list[str]:
        # What most ask for; of equals rather the newer versions.
        def key(versions: str) -> tuple[int, bool, bool, str]:
            return -asked[name][versions], versions[:1] != ">", versions[:1] not in ("=", "~"), versions

        versions = sorted(asked[name], key=key)
        return [f"{name}{v}" for v in versions if v]

    contested = [name for name in names if len(asked[name]) > 1]
    tries = [text for name in contested for text in allowed(name)]
    tries += [name for name in names if set(asked[name]) != {""}]
    tries += [text for name in names for text in allowed(name)]
    return list(dict.fromkeys(tries))[:MAX_CANDIDATES]


def evaluate_override(overrides: Sequence[str], demands: Iterable[Constraint], kept: Sequence[str] = ()) -> Override:
    """Who would accept exact overrides, each `name==version`, beside those that are `kept`."""
    versions: dict[str, Version] = {
        canonicalize_name(p.name): Version(next(iter(p.specifier)).version) for p in map(Requirement, overrides)
    }
    about = [d for d in demands if d.name in versions]
    rejects = dict.fromkeys(d.origin for d in about if not d.accepts(versions[d.name]))
    accepts = dict.fromkeys(d.origin for d in about if d.origin not in rejects)
    return Override((*kept, *overrides), tuple(accepts), tuple(rejects))


def best_override(mends: Iterable[Override]) -> Override | None:
    """The one that fewest reject and most accept; of equals the one with the newest version."""

    def key(mend: Override) -> tuple[int, int, Version, str]:
        last = Requirement(mend.overrides[-1])
        return -len(mend.rejected_by), len(mend.accepted_by), Version(next(iter(last.specifier)).version), last.name

    return max(mends, key=key, default=None)


def pin(name: str, version: str) -> str | None:
    """The override `name==version`, without the label of a variant; None if there is no such version."""
    try:
        return f"{name}=={Version(version).public}"
    except InvalidVersion:
        return None


def name_origins(said: str, wants: Sequence[RequirementSet]) -> str:
    """The explanation with those who ask instead of "you require"."""

    def replace(match: re.Match[str]) -> str:
        told = [_told(text, wants) for text in (match["first"], match["second"]) if text]
        return " and ".join(told) if all(told) else match[0]

    text = _REQUIRE.sub(replace, said)
    return text.replace("we can conclude that your requirements are unsatisfiable", "they cannot all be satisfied")


def _told(text: str, wants: Sequence[RequirementSet]) -> str:
    """Return "pack a requires x<2"; "" if no origin requires exactly that."""
    bare = text.rstrip(",")
    try:
        asked = Requirement(bare)
    except InvalidRequirement:
        return ""
    who = _who(asked.name, str(asked.specifier), wants)
    return f"{_join(who)} {'requires' if len(who) == 1 else 'require'} {text}" if who else ""


def _who(name: str, spec: str, wants: Sequence[RequirementSet]) -> list[str]:
    try:
        versions = SpecifierSet(spec)
    except InvalidSpecifier:
        return []
    found = [
        w.origin
        for w in wants
        for a in (*w.requirements, *w.constraints)
        if a.name == canonicalize_name(name) and Requirement(a.text).specifier == versions
    ]
    return list(dict.fromkeys(found))


def describe_override(mend: Override) -> str:
    """The line that mends it, and who would like it."""
    line = render_list("overrides", mend.overrides)
    if mend.remaining:
        return f"at the top of pycomfy.toml: {line}: that resolves this conflict, and leaves: {mend.remaining}"
    parts = [f"fine for {_join(mend.accepted_by)}"] if mend.accepted_by else []
    if mend.rejected_by:
        parts.append(f"not what {_join(mend.rejected_by)} requires")
    return f"at the top of pycomfy.toml: {line}: with it everything resolves ({', '.join(parts)})"


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
