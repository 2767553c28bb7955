"""Resolve each node type to a pack, by a fixed order of rules; a type that none of them settles is a question.

The order: the provenance that the workflow states for its nodes, the user's preferences, a pack of pycomfy.toml that
makes types while it runs and is listed with this one, the previous lock, the preemptions of ComfyUI-Manager's map, the
only pack that lists the type, the registry, a pattern; and where nothing lists the type, a pack of pycomfy.toml that
makes types while it runs. Of several candidates, one that another type needs anyway is taken. ComfyUI's own types, and
those that the source of a pack of pycomfy.toml shows, are resolved before, not here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pycomfy.core.catalog.match import Answer, Claims, answer_type, is_original, is_signing, is_weak, rank
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
    fold_name,
)
from pycomfy.core.nodes.provenance import StatedProvenance, newest, read_provenance

_EVIDENCE: dict[str, str] = {
    "preemption": "ComfyUI-Manager's map gives the type to this pack, although others list it",
    "only-pack": "no other pack of the catalog lists the type",
    "pattern": "the type matches the naming pattern of this pack, and of no other",
}

_WEAK = (
    "only one known node pack provides it, but the name is a plain word that anybody may use, and the pack has few"
    " stars and nothing else of this workflow"
)


def resolve_packs(
    unresolved: Sequence[UnresolvedType], knowledge: Knowledge, preferences: PackPreferences
) -> PackResolution:
    """Return a choice or a question for every type; the order of `unresolved` does not matter. One ComfyUI is pinned:
    all questions about a newer one name the newest."""
    choices: list[ProviderChoice] = []
    asked: list[tuple[_TypeResolver, ProviderQuestion]] = []
    for one in sorted(unresolved, key=lambda u: u.type):
        others = tuple(u.type for u in unresolved if u.type != one.type)
        resolver = _TypeResolver(one, knowledge, preferences, others)
        answer = resolver.resolve()
        if isinstance(answer, ProviderChoice):
            choices.append(answer)
        else:
            asked.append((resolver, answer))
    selected = {choice.pack.identity for choice in choices}
    needed = {choice.pack.identity: choice.type for choice in reversed(choices)}
    questions: list[ProviderQuestion] = []
    for resolver, question in asked:
        choice = resolver.take_needed(question, needed)
        choices.extend([choice] if choice is not None else [])
        questions.extend([question] if choice is None else [])
    choices.sort(key=lambda c: c.type)
    core = newest(*(question.core for question in questions if question.core)) or ""
    questions = [replace(question, core=core) if question.core is not None else question for question in questions]
    return PackResolution(tuple(choices), tuple(_mark_selected(question, selected) for question in questions))


def _mark_selected(question: ProviderQuestion, selected: Collection[str]) -> ProviderQuestion:
    """Packs that are taken for other types anyway come first among the candidates."""
    marked = [replace(c, already_selected=c.pack.identity in selected) for c in question.candidates]
    return replace(question, candidates=tuple(sorted(marked, key=lambda c: not c.already_selected)))


def list_registry_types(unresolved: Sequence[UnresolvedType], knowledge: Knowledge) -> tuple[str, ...]:
    """Return the types that only the registry may know: no pack of the catalog lists them, and the workflow does not
    name their pack."""
    return tuple(
        one.type
        for one in sorted(unresolved, key=lambda u: u.type)
        if not (claims := knowledge.claims.get(one.type, Claims())).owners and not claims.preempting
        if not (stated := read_provenance(one.nodes, knowledge)).packs and not stated.core
    )


def _lacks(version: str) -> str:
    return "the ComfyUI that is pinned lacks it" + (f"; ComfyUI {version} has it" if version else "")


class _TypeResolver:
    """The rules for one type, with all that is known about it."""

    def __init__(
        self, unresolved: UnresolvedType, knowledge: Knowledge, preferences: PackPreferences, others: tuple[str, ...]
    ) -> None:
        self.nodes = unresolved.nodes
        self.type = unresolved.type
        self.knowledge = knowledge
        self.preferences = preferences
        self.others = others
        self.stated: StatedProvenance = read_provenance(unresolved.nodes, knowledge)
        self.listed: Answer = answer_type(self.type, knowledge.claims.get(self.type, Claims()))
        self.registered = knowledge.registry.get(self.type, ())

    def resolve(self) -> ProviderChoice | ProviderQuestion:
        """Apply the rules in their order."""
        stated = self.stated
        if (new := self.knowledge.replaced.get(self.type)) is not None and not (stated.packs or stated.unknown_names):
            why = f'ComfyUI replaced it by "{new}", which the pinned ComfyUI has'
            return replace(self._ask(why, ""), replaced_by=new, candidates=())
        if stated.core and not stated.packs:
            version = stated.versions[0] if stated.versions else self.listed.since or ""
            return self._ask(f"it is ComfyUI's own according to the workflow, but {_lacks(version)}", version)
        if len(stated.packs) == 1 and not stated.core:
            known = stated.packs[0].types or stated.packs[0].registry_id
            return self._take(
                stated.packs[0],
                "workflow",
                "the workflow says so" if known else "the workflow says so; the catalog does not know this pack",
            )
        possible = rank([*stated.packs, *self.listed.candidates, *self.registered])
        for identity in self.preferences.prefer:
            for pack in possible:
                if identity == pack.identity or identity in pack.aliases:
                    return self._take(pack, "preference", "you prefer this pack")
        if (maker := self._find_listed_maker()) is not None:
            return maker
        locked = [pack for pack in possible if pack.identity in self.preferences.locked]
        if len(locked) == 1:
            choice = self._resolve_by_catalog()
            if isinstance(choice, ProviderChoice) and choice.pack == locked[0]:
                return choice
            return self._take(locked[0], "lock", "the previous lock takes it from this pack")
        if stated.packs:
            return self._ask("the workflow states different packs for its nodes")
        if stated.unknown_names:
            return self._resolve_unknown_id(possible)
        return self._resolve_by_catalog()

    def _resolve_by_catalog(self) -> ProviderChoice | ProviderQuestion:
        listed = self.listed
        if listed.reason == "built-in":
            version = newest(self.knowledge.core, listed.since) or ""
            return self._ask(f"it is ComfyUI's own, but {_lacks(version)}", version)
        owned = self.knowledge.claims.get(self.type, Claims()).owners
        if listed.pack is not None and listed.reason in ("preemption", "only-pack"):
            if listed.reason == "only-pack" and is_weak(self.type, listed.pack, self.others):
                return self._ask(_WEAK)
            return self._take(listed.pack, listed.reason, _EVIDENCE[listed.reason])
        if (signing := self._find_signing(owned)) is not None:
            return signing
        if listed.reason == "template":
            other = ", but node packs may provide it too" if self.registered or listed.candidates else ""
            why = f"no list has it yet, and official templates use it as a type of ComfyUI {listed.since}{other}"
            return self._ask(why, newest(self.knowledge.core, listed.since))
        if not owned and len(self.registered) == 1 and is_weak(self.type, self.registered[0], self.others):
            return self._ask(_WEAK)
        if not owned and len(self.registered) == 1:
            return self._take(self.registered[0], "registry", "only this pack of the Comfy registry provides the type")
        if not owned and self.registered:
            return self._ask("several packs of the Comfy registry provide it")
        if listed.pack is not None and listed.reason == "pattern":
            return self._take(listed.pack, "pattern", _EVIDENCE["pattern"])
        if owned:
            return self._ask(f"{len(owned)} known node packs provide it")
        if self.knowledge.core is None and (maker := self._find_maker()) is not None:
            return maker
        if listed.candidates:
            return self._ask("no known node pack lists it, only naming patterns match it")
        core = self.knowledge.core
        newer = f", and the workflow was made with ComfyUI {core}, newer than the pinned one" if core else ""
        return replace(self._ask(f"no known node pack provides it{newer}", core), unlisted=True)

    def _find_signing(self, owned: Sequence[Listing]) -> ProviderChoice | None:
        """The pack that signs the type, where other packs are listed with it and all have fewer stars."""
        pack, others = self.listed.pack, (*owned, *self.registered)
        if pack is None or self.listed.reason != "pattern" or not is_signing(pack) or not is_original(pack, others):
            return None
        if not others or pack.identity in {other.identity for other in others}:
            return None
        evidence = "the type is signed with the name of this pack, and all that list it have fewer stars"
        return self._take(pack, "pattern", evidence)

    def _find_listed_maker(self) -> ProviderChoice | None:
        """The one pack of pycomfy.toml that may have the type and is listed with it, or is named by the workflow. What
        the workflow says goes before lists."""
        stated, listed = self.stated, self.listed
        if listed.reason == "built-in":
            return None
        claims = self.knowledge.claims.get(self.type, Claims())
        listing = stated.packs or (
            () if stated.unknown_names else (*claims.preempting, *claims.owners, *self.registered)
        )
        identities = {pack.identity for pack in listing}
        makers = [maker for maker in self.knowledge.makers if maker.pack.identity in identities]
        evidence = "you named the pack; it makes node types while it runs, and is listed with this one"
        if not makers and not stated.packs and len(stated.unknown_names) == 1:
            name = stated.unknown_names[0]
            makers = [maker for maker in self.knowledge.makers if maker.is_called(name)]
            evidence = f"you named the pack; it makes node types while it runs, and the workflow names {name}"
        return self._take(makers[0].pack, "configured", evidence) if len(makers) == 1 else None

    def _find_maker(self) -> ProviderChoice | ProviderQuestion | None:
        """The pack of pycomfy.toml that may have a type that nothing lists; a question if that may be several."""
        makers = self.knowledge.makers
        naming = [maker for maker in makers if self.type in maker.mentions]
        why = "you named the pack; it makes node types while it runs, and nothing lists this one: building proves it"
        if len(naming) == 1:
            why = f"{why}; its source has the name"
        if len(naming or makers) == 1:
            return replace(self._take((naming or makers)[0].pack, "configured", why), unlisted=True)
        if not makers:
            return None
        names = tuple(sorted(maker.name for maker in naming or makers))
        why = f"nothing lists it, and {' and '.join(names)} make node types while they run"
        return replace(self._ask(why), makers=names)

    def _resolve_unknown_id(self, possible: tuple[Listing, ...]) -> ProviderChoice | ProviderQuestion:
        """The workflow names a registry id that could not be looked up: take the one possible pack with that name."""
        names = {fold_name(name) for name in self.stated.unknown_names}
        called = [p for p in possible if names & {fold_name(p.repository), fold_name(p.registry_id or "")}]
        if len(called) == 1 and len(names) == 1:
            name = self.stated.unknown_names[0]
            why = f"the workflow names {name}, and only one pack with that name provides the type"
            return self._take(called[0], "workflow", why)
        return self._ask(
            f"according to the workflow it is from {' and '.join(self.stated.unknown_names)}, which is not known"
        )

    def take_needed(self, question: ProviderQuestion, needed: Mapping[str, str]) -> ProviderChoice | None:
        """The one candidate that is `needed` (identity -> type) for another type anyway: a second pack with the type
        would clash with it. None where the workflow names a pack that is unknown, for it may be that one."""
        if question.core is not None or question.makers or question.unknown_names:
            return None
        stated = {pack.identity for pack in self.stated.packs}
        found = [
            candidate.pack
            for candidate in question.candidates
            if candidate.listed and candidate.pack.identity in needed and candidate.pack.identity in (stated or needed)
        ]
        if len(found) != 1:
            return None
        evidence = f'"{needed[found[0].identity]}" needs this pack anyway, and a second pack with the type would clash'
        return self._take(found[0], "together", evidence)

    def _take(self, pack: Listing, reason: Reason, evidence: str) -> ProviderChoice:
        versions = self.stated.versions_of(pack)
        return ProviderChoice(self.type, pack, reason, evidence, versions, self._unused_versions(versions))

    def _ask(self, why: str, core: str | None = None) -> ProviderQuestion:
        packs = rank([*self.stated.packs, *self.listed.candidates, *self.registered])
        claims = self.knowledge.claims.get(self.type, Claims())
        listing = (*self.stated.packs, *claims.owners, *claims.preempting, *self.registered)
        listed = {pack.identity for pack in listing}
        candidates = []
        for pack in packs:
            versions = self.stated.versions_of(pack)
            unused = self._unused_versions(versions)
            found = Candidate(pack, self._other_types(pack), listed=pack.identity in listed)
            candidates.append(replace(found, versions=versions, unused=unused))
        unknown = self.stated.unknown_names
        return ProviderQuestion(self.type, self.nodes, why, tuple(candidates), core, unknown_names=unknown)

    def _unused_versions(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        return () if versions or self.stated.packs else self.stated.unknown_versions

    def _other_types(self, pack: Listing) -> tuple[str, ...]:
        return tuple(sorted(set(self.others) & set(pack.types)))
