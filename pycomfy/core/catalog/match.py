"""What the catalog alone says of a node type: its pack, or that it is not known which."""

from dataclasses import dataclass
from typing import Literal

from pycomfy.core.catalog.model import COMFY_CORE, Listing

Reason = Literal["built-in", "preemption", "only-pack", "pattern", "template", "ambiguous", "unknown"]


@dataclass(frozen=True, slots=True)
class Claims:
    """Who says that a type is theirs: the packs that list it, those that the map gives it to although others list it,
    and those with a pattern for it. `since` is the oldest ComfyUI that has it, say official templates that need no
    pack."""

    owners: tuple[Listing, ...] = ()
    preempting: tuple[Listing, ...] = ()
    patterns: tuple[Listing, ...] = ()
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`pack` is None where ComfyUI itself has the type (reason built-in), or where nobody can tell; with the reason
    template ComfyUI very likely has it: from `since` on, which is known of other types of ComfyUI as well."""

    type: str
    reason: Reason
    pack: Listing | None = None
    candidates: tuple[Listing, ...] = ()
    since: str | None = None

    @property
    def answer(self) -> str | None:
        """A repository's URL, `comfy-core`, or None."""
        return COMFY_CORE if self.reason == "built-in" else self.pack.url if self.pack is not None else None


def answer_type(type_: str, claims: Claims) -> Answer:
    """ComfyUI's own types first: it skips those of a pack. Then the map's preemptions, the only pack that lists the
    type, the only pattern that fits and is not loose. All else is a question, with the candidates best first, and so is
    a type that only official templates know."""
    if any(pack.is_core for pack in claims.owners):
        return Answer(type_, "built-in", None, rank([p for p in claims.owners if not p.is_core]), claims.since)
    claimed = rank([*claims.preempting, *claims.owners, *claims.patterns])
    if len(claims.preempting) == 1:
        return Answer(type_, "preemption", claims.preempting[0], claimed)
    if claims.preempting or len(claims.owners) > 1:
        return Answer(type_, "ambiguous", None, claimed)
    if claims.owners:
        return Answer(type_, "only-pack", claims.owners[0], claimed)
    if claims.since is not None:
        return Answer(type_, "template", None, claimed, claims.since)
    if len(claims.patterns) == 1 and not claims.patterns[0].loose:
        return Answer(type_, "pattern", claims.patterns[0], claimed)
    return Answer(type_, "ambiguous" if claimed else "unknown", None, claimed)


def rank(packs: list[Listing]) -> tuple[Listing, ...]:
    """Each once, those with the most stars first; for people to read, never to choose by."""
    unique = {pack.identity: pack for pack in packs}
    return tuple(sorted(unique.values(), key=lambda p: (-(p.stars or 0), p.identity)))
