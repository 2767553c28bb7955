"""Match a node type with its pack by the catalog alone, or say that this is uncertain."""

from dataclasses import dataclass
from typing import Literal

from pycomfy.core.catalog.model import Listing
from pycomfy.core.lockfile.names import COMFY_CORE

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
    preemptions, the only pack that lists the type, the only pattern that matches and is not loose. Everything else is
    uncertain, and so is a type that only official templates know. Candidates are ranked."""
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
    """Return each pack once, those with the most stars first; an order for people, never a criterion."""
    unique = {pack.identity: pack for pack in packs}
    return tuple(sorted(unique.values(), key=lambda p: (-(p.stars or 0), p.identity)))
