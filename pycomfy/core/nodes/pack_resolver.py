"""Choosing the node pack of each type, in a fixed order of rules; what none of them settles is a question.

The order: what the workflow says of its own nodes, what the user prefers, what the lock has, the map's preemptions, the
only pack that lists the type, the registry, a pattern. ComfyUI's own types come before and are not asked about here.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from pycomfy.core.catalog.match import Answer, Claims, answer_type, rank
from pycomfy.core.catalog.model import Listing
from pycomfy.core.nodes.pack_resolution import (
    Candidate,
    Knowledge,
    PackPreferences,
    PackResolution,
    ProviderChoice,
    ProviderQuestion,
    Reason,
    UnresolvedType,
)
from pycomfy.core.nodes.provenance import StatedProvenance, newest, read_provenance

_EVIDENCE: dict[str, str] = {
    "preemption": "ComfyUI-Manager's map gives the type to this pack, although others list it",
    "only-pack": "no other pack of the catalog lists the type",
    "pattern": "the type is named as this pack, and no other, names its nodes",
}


def resolve_packs(wanted: Sequence[UnresolvedType], knowledge: Knowledge, wishes: PackPreferences) -> PackResolution:
    """A choice or a question for every type; the order of `wanted` does not matter."""
    choices: list[ProviderChoice] = []
    questions: list[ProviderQuestion] = []
    for one in sorted(wanted, key=lambda w: w.type):
        answer = _Case(one, knowledge, wishes, tuple(w.type for w in wanted if w.type != one.type)).settle()
        if isinstance(answer, ProviderChoice):
            choices.append(answer)
        else:
            questions.append(answer)
    needed = {choice.pack.identity for choice in choices}
    return PackResolution(tuple(choices), tuple(_mark_needed(question, needed) for question in questions))


def _mark_needed(question: ProviderQuestion, needed: Collection[str]) -> ProviderQuestion:
    """Packs that are needed anyway come first among the candidates."""
    marked = [replace(c, already_selected=c.pack.identity in needed) for c in question.candidates]
    return replace(question, candidates=tuple(sorted(marked, key=lambda c: not c.already_selected)))


def list_unknown_ids(wanted: Sequence[UnresolvedType], knowledge: Knowledge) -> tuple[str, ...]:
    """The types that only the registry may know: nobody lists them, and the workflow does not say whose they are."""
    return tuple(
        one.type
        for one in sorted(wanted, key=lambda w: w.type)
        if not (claims := knowledge.claims.get(one.type, Claims())).owners and not claims.preempting
        if not (said := read_provenance(one.nodes, knowledge)).packs and not said.core
    )


def _lacks(version: str) -> str:
    return "the ComfyUI that is pinned lacks it" + (f"; ComfyUI {version} has it" if version else "")


class _Case:
    """One type, with all that is known of it."""

    def __init__(
        self, wanted: UnresolvedType, knowledge: Knowledge, wishes: PackPreferences, others: tuple[str, ...]
    ) -> None:
        self.wanted = wanted
        self.type = wanted.type
        self.knowledge = knowledge
        self.wishes = wishes
        self.others = others
        self.said: StatedProvenance = read_provenance(wanted.nodes, knowledge)
        self.listed: Answer = answer_type(self.type, knowledge.claims.get(self.type, Claims()))
        self.registered = knowledge.registry.get(self.type, ())

    def settle(self) -> ProviderChoice | ProviderQuestion:
        said = self.said
        if said.core and not said.packs:
            version = said.versions[0] if said.versions else self.listed.since or ""
            return self._ask(f"the workflow says that it is ComfyUI's own, but {_lacks(version)}", version)
        if len(said.packs) == 1 and not said.core:
            known = said.packs[0].types or said.packs[0].registry_id
            return self._take(
                said.packs[0],
                "workflow",
                "the workflow says so" if known else "the workflow says so; the catalog does not know this pack",
            )
        possible = rank([*said.packs, *self.listed.candidates, *self.registered])
        for identity in self.wishes.prefer:
            for pack in possible:
                if identity == pack.identity or identity in pack.aliases:
                    return self._take(pack, "preference", "you prefer this pack")
        locked = [pack for pack in possible if pack.identity in self.wishes.locked]
        if len(locked) == 1:
            anew = self._settle_by_catalog()
            if isinstance(anew, ProviderChoice) and anew.pack == locked[0]:
                return anew
            return self._take(locked[0], "lock", "the lock so far takes it from this pack")
        if said.packs:
            return self._ask("its nodes say that they are of different packs")
        if said.unknown_names:
            return self._settle_unknown_id(possible)
        return self._settle_by_catalog()

    def _settle_by_catalog(self) -> ProviderChoice | ProviderQuestion:
        listed = self.listed
        if listed.reason == "built-in":
            version = newest(self.knowledge.core, listed.since) or ""
            return self._ask(f"it is ComfyUI's own, but {_lacks(version)}", version)
        if listed.pack is not None and listed.reason in ("preemption", "only-pack"):
            return self._take(listed.pack, listed.reason, _EVIDENCE[listed.reason])
        owned = self.knowledge.claims.get(self.type, Claims()).owners
        if listed.reason == "template":
            also = ", but packs may have it too" if self.registered or listed.candidates else ""
            why = f"no list has it yet, and official templates use it as one of ComfyUI {listed.since}{also}"
            return self._ask(why, newest(self.knowledge.core, listed.since))
        if not owned and len(self.registered) == 1:
            return self._take(self.registered[0], "registry", "only this pack of the Comfy registry has the type")
        if not owned and self.registered:
            return self._ask("several packs of the Comfy registry have it")
        if listed.pack is not None and listed.reason == "pattern":
            return self._take(listed.pack, "pattern", _EVIDENCE["pattern"])
        if owned:
            return self._ask(f"{len(owned)} packs have it")
        if listed.candidates:
            return self._ask("only a pattern of names speaks for a pack")
        core = self.knowledge.core
        newer = f", and the workflow was made with ComfyUI {core}, newer than the pinned one" if core else ""
        return self._ask(f"no known pack has it{newer}", core)

    def _settle_unknown_id(self, possible: tuple[Listing, ...]) -> ProviderChoice | ProviderQuestion:
        """The workflow names a registry id that could not be looked up: a pack that is called so is the one."""
        names = {name.lower() for name in self.said.unknown_names}
        called = [p for p in possible if p.repository.lower() in names or (p.registry_id or "").lower() in names]
        if len(called) == 1 and len(names) == 1:
            why = (
                f"the workflow names {self.said.unknown_names[0]}, and of the packs that have the type one is called so"
            )
            return self._take(called[0], "workflow", why)
        return self._ask(
            f"the workflow says that it is of {' and '.join(self.said.unknown_names)}, which is not known here"
        )

    def _take(self, pack: Listing, reason: Reason, evidence: str) -> ProviderChoice:
        own = self.said.versions if reason == "workflow" else ()
        return ProviderChoice(self.type, pack, reason, evidence, own)

    def _ask(self, why: str, core: str | None = None) -> ProviderQuestion:
        packs = rank([*self.said.packs, *self.listed.candidates, *self.registered])
        candidates = [Candidate(pack, self._also(pack)) for pack in packs]
        return ProviderQuestion(self.type, self.wanted.nodes, why, tuple(candidates), core)

    def _also(self, pack: Listing) -> tuple[str, ...]:
        return tuple(sorted(set(self.others) & set(pack.types)))
