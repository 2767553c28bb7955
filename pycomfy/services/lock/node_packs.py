"""Find the node packs that a workflow needs and that pycomfy.toml does not name."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from pycomfy import operation
from pycomfy.adapters.catalog.registry_client import Registry, find_registry
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.repository_url import parse_repository_url
from pycomfy.core.lockfile.names import COMFYUI, plain_name, unique_name
from pycomfy.core.lockfile.package_indexes import IndexConfig
from pycomfy.core.nodes.pack_errors import (
    Surroundings,
    describe_candidate,
    explain_question,
    list_types,
    prefer_line,
    short_name,
)
from pycomfy.core.nodes.pack_questions import group_questions, settles
from pycomfy.core.nodes.pack_resolution import (
    Knowledge,
    NamedPack,
    PackPreferences,
    PackResolution,
    ProviderChoice,
    ProviderQuestion,
)
from pycomfy.core.nodes.pack_resolver import list_registry_types, resolve_packs
from pycomfy.core.nodes.pack_shapes import weigh
from pycomfy.core.nodes.provenance import pack_references
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.errors import BadInput, NotFound, PycomfyError, raise_all
from pycomfy.services.lock.dropped_types import find_unlisted, is_searchable, move_configured
from pycomfy.services.lock.pack_evidence import read_evidence
from pycomfy.services.lock.pack_pinning import pin_pack
from pycomfy.services.lock.pack_search import PackSearch, find_identity
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class FoundPacks:
    """The packs that were found, by name, each pinned; why each type is taken from its pack, and each pack at its
    commit; remarks for the user. `assumed` are types that packs of pycomfy.toml may make while they run, by name: the
    build proves them."""

    specs: Mapping[str, SourceSpec] = field(default_factory=dict)
    sources: Mapping[str, PinnedSource] = field(default_factory=dict)
    choices: tuple[ProviderChoice, ...] = ()
    commits: Mapping[str, str] = field(default_factory=dict)
    assumed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def search_packs(workspace: Workspace, search: PackSearch) -> FoundPacks:
    """Find and pin a pack for every type. Raises all `AmbiguousNode` and `UnknownNode` at once, before anything is
    fetched (but histories, where types that nothing lists are all that is left); then what pinning raises, and
    `UnknownNode` for types that a pack turns out not to have."""
    notes: list[str] = []
    given = Surroundings(search.comfyui, tuple(search.prefer), fresh=_fetch_missing_catalog(workspace, notes))
    configured = _list_configured(workspace, search)
    choices = _choose(workspace, search, configured, given, notes)
    assumed, lacking = _assign_configured(choices, search, configured)
    moved = move_configured(workspace, search, lacking)
    raise_all(moved.problems)
    settled = {*(t for types in assumed.values() for t in types), *(c.type for own in lacking.values() for c in own)}
    notes += [*_note_unlisted(choices, assumed), *_note_versions(choices)]
    packs: dict[str, list[ProviderChoice]] = {}
    for choice in choices:
        if choice.type not in settled:
            packs.setdefault(choice.pack.identity, []).append(choice)
    names = _name_packs([chosen[0].pack for chosen in packs.values()], (COMFYUI, *search.configured))
    jobs = {
        names[identity]: partial(pin_pack, workspace, names[identity], chosen, search)
        for identity, chosen in sorted(packs.items())
    }
    with operation.step("Find and pin node packs", total=len(jobs)) as task:
        pinned = [one for found in run_concurrently(jobs, task.advance).values() for one in found]
    pinned += moved.moved
    return FoundPacks(
        specs={one.name: one.spec for one in pinned},
        sources={one.name: one.source for one in pinned},
        choices=tuple(choices),
        commits={one.name: one.found.reason for one in pinned},
        assumed=assumed,
        notes=(*notes, *dict.fromkeys(remark for one in pinned for remark in one.found.remarks)),
    )


def _choose(
    workspace: Workspace,
    search: PackSearch,
    configured: Mapping[str, Listing],
    given: Surroundings,
    notes: list[str],
) -> list[ProviderChoice]:
    registry = find_registry(workspace.environment)
    knowledge, prefer = _look_up(workspace, search, registry, notes)
    types = list_registry_types(search.types, knowledge)
    registered = {type_: packs for type_ in types if (packs := registry.packs_with(type_))}
    makers = tuple(NamedPack(name, configured[name], mentions) for name, mentions in sorted(search.makers.items()))
    knowledge = Knowledge(knowledge.claims, knowledge.named, registered, search.newer_core, makers, search.replaced)
    preferences = PackPreferences(prefer, frozenset(search.locked_packs()))
    resolution = resolve_packs(search.types, knowledge, preferences)
    resolution = _leave_out_apart(resolution, search, configured)
    resolution = weigh(
        resolution, read_evidence(workspace, search, resolution), {one.type: one.nodes for one in search.types}
    )
    choices, answers, questions = _ask_all(resolution)
    if all(is_searchable(question, configured) for question in questions):
        # That a pack makes types while it runs says less than a history that defines the type.
        guesses = {c.type: c for c in choices if c.unlisted and not any(c.type in m for m in search.makers.values())}
        sure = [choice for choice in choices if choice.type not in guesses]
        nodes = {one.type: one.nodes for one in search.types}
        open_ = [ProviderQuestion(t, nodes[t], guess.evidence, unlisted=True) for t, guess in guesses.items()]
        found, left = find_unlisted(workspace, search, configured, sure, [*questions, *open_])
        kept = [guesses[question.type] for question in left if question in open_]
        questions = [question for question in left if question not in open_]
        choices = [*sure, *found, *kept]
    problems = [explain_question(question, search.workflow, given) for question in group_questions(questions)]
    if answers:
        which = "this choice" if len(answers) == 1 else "these choices"
        notes.append(f"to keep {which}, write {prefer_line(answers, search.prefer)}")
    if registry.remark is not None:
        notes.append(registry.remark)
    if problems:
        for note in notes:
            operation.report(f"note: {note}")
    raise_all(problems)
    return choices


def _leave_out_apart(
    resolution: PackResolution, search: PackSearch, configured: Mapping[str, Listing]
) -> PackResolution:
    """The resolution without nodes that nothing can be linked to, such as bookmarks, except where lists are certain:
    most exist in the editor only, so that they are no reason to ask for a pack. The source of a pack of pycomfy.toml
    would have shown the type."""
    named = {pack.identity for pack in configured.values()}
    listed = ("preference", "preemption", "only-pack", "registry", "lock", "together")
    choices = tuple(
        choice
        for choice in resolution.choices
        if choice.type not in search.apart or (choice.reason in listed and choice.pack.identity not in named)
    )
    return PackResolution(choices, tuple(q for q in resolution.questions if q.type not in search.apart))


def _ask_all(resolution: PackResolution) -> tuple[list[ProviderChoice], list[str], list[ProviderQuestion]]:
    """All choices with those of the user, the addresses of the packs that they chose, and the questions that they did
    not answer. Each answer settles all types that the pack is listed with, so that nothing is asked twice."""
    choices, answers = list(resolution.choices), []
    remaining, unanswered = list(resolution.questions), []
    while remaining:
        # The largest first: its answer may settle others.
        group = max(group_questions(remaining), key=lambda question: len(question.types))
        pack = _ask(group)
        if pack is None:
            unanswered += [question for question in remaining if question.type in group.types]
            remaining = [question for question in remaining if question.type not in group.types]
            continue
        answers.append(pack.url)
        settled = [question for question in remaining if settles(pack, question)] or [
            question
            for question in remaining
            if question.type in group.types and pack.identity in {c.pack.identity for c in question.candidates}
        ]
        for question in settled:
            candidate = next(c for c in question.candidates if c.pack.identity == pack.identity)
            evidence = "you chose this pack"
            choices.append(
                ProviderChoice(question.type, pack, "preference", evidence, candidate.versions, candidate.unused)
            )
        remaining = [question for question in remaining if question not in settled]
    return choices, answers, unanswered


def _ask(question: ProviderQuestion) -> Listing | None:
    """The pack that the user chooses; None if there is nobody to ask, or they choose none."""
    ask = operation.current().ask
    candidates = question.candidates
    if ask is None or not candidates:
        return None
    options = tuple(operation.Option(short_name(c.pack), describe_candidate(c, question.types)) for c in candidates)
    chosen = ask(operation.Question(list_types(question.types), "which node pack?", question.why, options))
    return None if chosen is None else candidates[chosen].pack


def _fetch_missing_catalog(workspace: Workspace, notes: list[str]) -> bool:
    """Fetch the catalog if there is none, or one of another version of pycomfy; return whether it was fetched. Without
    one, only the addresses in the workflow are known."""
    try:
        workspace.open_catalog().close()
        return False
    except (NotFound, BadInput):
        try:
            indexes = IndexConfig(environment=workspace.environment)
            notes.extend(update_catalog(workspace.paths, indexes=indexes).remarks)
            return True
        except PycomfyError as e:
            notes.append(f"there is no catalog of node packs, and none can be fetched: {e.what}")
            return False


def _look_up(
    workspace: Workspace, search: PackSearch, registry: Registry, notes: list[str]
) -> tuple[Knowledge, tuple[str, ...]]:
    """What catalog and registry know of the types, and of the packs that workflow and user name; and the preferences
    as identities."""
    references = dict.fromkeys(name for one in search.types for name in pack_references(one.nodes))
    names = [*references, *search.prefer]
    named: dict[str, Listing] = {}
    claims = {}
    try:
        with workspace.open_catalog() as catalog:
            claims = catalog.claims(one.type for one in search.types)
            named = {name: pack for name in names if (pack := catalog.find(name)) is not None}
    except (NotFound, BadInput):
        pass
    for name in names:
        if name not in named and parse_repository_url(name) is None and (pack := registry.find(name)) is not None:
            named[name] = pack
    prefer: list[str] = []
    for name in search.prefer:
        location = parse_repository_url(name)
        if name in named:
            prefer.append(named[name].identity)
        elif location is not None:
            prefer.append(location.identity)
        else:
            notes.append(f"the preferred pack {name} is unknown")
    return Knowledge(claims, named), tuple(prefer)


def _name_packs(packs: Sequence[Listing], taken: Iterable[str]) -> dict[str, str]:
    """Identity → the folder's name: that of the repository, with the owner where two have the same."""
    used = {name.casefold() for name in taken}
    names: dict[str, str] = {}
    for pack in sorted(packs, key=lambda p: p.identity):
        parts = [p for p in urlsplit(pack.url).path.removesuffix(".git").split("/") if p]
        options = [plain_name("-".join(reversed(parts[-n:]))) for n in range(1, len(parts) + 1)]
        options = [option for option in options if option] or ["pack"]
        free = (option for option in options if option.casefold() not in used)
        name = next(free, None) or unique_name(options[0], used)
        used.add(name.casefold())
        names[pack.identity] = name
    return names


def _list_configured(workspace: Workspace, search: PackSearch) -> dict[str, Listing]:
    """Each pack of pycomfy.toml, by name, as the catalog lists it; one without types where that does not know it."""
    listings: dict[str, Listing] = {}
    references: dict[str, str] = {}
    for name, spec in search.configured.items():
        url, id_ = spec.repository_url, spec.registry_id
        identity = find_identity(url) if url is not None else None
        listings[name] = Listing(identity or f"pycomfy.toml/{name}", url or name, registry_id=id_)
        if (reference := url if identity is not None else id_) is not None:
            references[name] = reference
    with contextlib.suppress(NotFound, BadInput), workspace.open_catalog() as catalog:
        for name, reference in references.items():
            listings[name] = catalog.find(reference) or listings[name]
    return listings


def _assign_configured(
    choices: Sequence[ProviderChoice], search: PackSearch, configured: Mapping[str, Listing]
) -> tuple[dict[str, tuple[str, ...]], dict[str, list[ProviderChoice]]]:
    """Return the types that packs of pycomfy.toml may make while they run, and the choices of such packs that make no
    types and lack this one at their commits, both by the packs' names. A second copy of a pack would clash with it."""
    by_identity = {pack.identity: name for name, pack in configured.items()}
    by_id = {pack.registry_id.lower(): name for name, pack in configured.items() if pack.registry_id is not None}
    assumed: dict[str, tuple[str, ...]] = {}
    lacking: dict[str, list[ProviderChoice]] = {}
    for choice in choices:
        name = by_identity.get(choice.pack.identity) or by_id.get((choice.pack.registry_id or "").lower())
        if name is not None and name in search.makers:
            assumed[name] = (*assumed.get(name, ()), choice.type)
        elif name is not None:
            lacking.setdefault(name, []).append(choice)
    return assumed, lacking


def _note_unlisted(choices: Sequence[ProviderChoice], assumed: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Say which types only a build proves: nothing lists them, so that a misspelt name looks the same."""
    unlisted = {choice.type for choice in choices if choice.reason == "configured" and choice.unlisted}
    for name, types in sorted(assumed.items()):
        if found := sorted(unlisted & set(types)):
            names = ", ".join(f'"{type_}"' for type_ in found)
            yield f"no list has {names}: taken from {name}, which makes node types while it runs; the build proves it"


def _note_versions(choices: Sequence[ProviderChoice]) -> Iterator[str]:
    """Say which versions are not used, because the workflow names them of a pack that is not known."""
    for choice in choices:
        if choice.unused:
            named = " and ".join(choice.unused)
            yield (
                f'the workflow names version {named} of the unknown pack that has "{choice.type}"; it is not used for'
                f" {short_name(choice.pack)}, which may be another one"
            )
