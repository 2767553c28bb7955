"""Match a node type with its pack by the catalog alone, or say that this is uncertain."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.name_patterns import MIN_CHARACTERS, parse_pattern
from pycomfy.core.lockfile.names import COMFY_CORE

FEW_STARS = 30
"""Fewer stars say that hardly anybody knows a pack."""

_WORD = re.compile(r"[A-Z]?[a-z]+")

Reason = Literal["built-in", "preemption", "only-pack", "pattern", "template", "ambiguous", "unknown"]


@dataclass(frozen=True, slots=True)
class Claims:
    """The packs that claim a type: `owners` list it, `preempting` get it from the map although others list it,
    `patterns` match it. `since` is the oldest ComfyUI that has it, according to official templates without packs."""

    owners: tuple[Listing, ...] = ()
    preempting: tuple[Listing, ...] = ()
    patterns: tuple[Listing, ...] = ()
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`pack` is None where ComfyUI itself has the type (reason built-in), or where the pack is uncertain; with the
    reason template ComfyUI very likely has it, from `since` on. `since` is known for built-in types as well."""

    type: str
    reason: Reason
    pack: Listing | None = None
    candidates: tuple[Listing, ...] = ()
    since: str | None = None

    @property
    def answer(self) -> str | None:
        """The URL of the pack's repository, `comfy-core`, or None."""
        return COMFY_CORE if self.reason == "built-in" else self.pack.url if self.pack is not None else None


def answer_type(type_: str, claims: Claims) -> Answer:
    """Return the answer by the first rule that applies: ComfyUI's own types (ComfyUI skips those of packs), the map's
    preemptions, the one pack that signs the type and is the original of all that list it, the only pack that lists the
    type, the only pattern that matches and is not loose. Everything else is uncertain, and so is a type that only
    official templates know. Candidates are ranked."""
    if any(pack.is_core for pack in claims.owners):
        return Answer(type_, "built-in", None, rank([p for p in claims.owners if not p.is_core]), claims.since)
    claimed = rank([*claims.preempting, *claims.owners, *claims.patterns])
    if len(claims.preempting) == 1:
        return Answer(type_, "preemption", claims.preempting[0], claimed)
    signing = [pack for pack in claims.patterns if is_signing(pack)]
    signed = len(signing) == 1 and is_original(signing[0], claims.owners)
    if signed and claims.owners and not claims.preempting:
        return Answer(type_, "pattern", signing[0], claimed)
    if claims.preempting or len(claims.owners) > 1:
        return Answer(type_, "ambiguous", None, claimed)
    if claims.owners:
        return Answer(type_, "only-pack", claims.owners[0], claimed)
    if claims.since is not None:
        return Answer(type_, "template", None, claimed, claims.since)
    if signed:
        return Answer(type_, "pattern", signing[0], claimed)
    if len(claims.patterns) == 1 and not claims.patterns[0].loose:
        return Answer(type_, "pattern", claims.patterns[0], claimed)
    return Answer(type_, "ambiguous" if claimed else "unknown", None, claimed)


def is_signing(pack: Listing) -> bool:
    """Return whether the pack signs its types: its pattern is a part of its repository's name or owner, such as
    `(rgthree)` of rgthree/rgthree-comfy, and lists have none of its types with that. Such packs make their types while
    they run, so that the scan behind the lists does not find them, but finds copies."""
    pattern = parse_pattern(pack.pattern) if pack.pattern is not None else None
    if pattern is None or any(pattern.matches(type_) for type_ in pack.types):
        return False
    texts = [_letters(text) for text in pattern.texts]
    return all(len(text) >= MIN_CHARACTERS and text in _letters(pack.identity) for text in texts)


def is_original(pack: Listing, others: Iterable[Listing]) -> bool:
    """Return whether the `others` are copies of a type that `pack` signs: they have fewer stars, and are of other
    people, who don't sign with that name."""
    account = pack.identity.rpartition("/")[0]
    others = [other for other in others if other.identity != pack.identity]
    return all((pack.stars or 0) > (o.stars or 0) and o.identity.rpartition("/")[0] != account for o in others)


def is_weak(type_: str, pack: Listing, others: Iterable[str]) -> bool:
    """Return whether it is no answer that only `pack` is listed with a type: anybody may give that name, which is one
    plain word, the pack is known to have few stars, and it has none of the `others`, the other types of the workflow,
    but plain words."""
    known = (
        pack.stars is None or pack.stars >= FEW_STARS or any(t in pack.types and not _WORD.fullmatch(t) for t in others)
    )
    return not known and _WORD.fullmatch(type_) is not None


def _letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


def rank(packs: list[Listing]) -> tuple[Listing, ...]:
    """Return each pack once, those with the most stars first; an order for people, no criterion."""
    unique = {pack.identity: pack for pack in packs}
    return tuple(sorted(unique.values(), key=lambda p: (-(p.stars or 0), p.identity)))
