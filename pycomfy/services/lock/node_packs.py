"""Find the node packs that a workflow needs and that pycomfy.toml does not name."""

from collections.abc import Iterable, Mapping, Sequence
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
from pycomfy.core.nodes.pack_errors import Surroundings, describe_candidate, explain_question, prefer_line, short_name
from pycomfy.core.nodes.pack_resolution import Knowledge, PackPreferences, ProviderChoice, ProviderQuestion
from pycomfy.core.nodes.pack_resolver import list_registry_types, resolve_packs
from pycomfy.core.nodes.provenance import pack_references
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.errors import BadInput, NotFound, Placeholder, PycomfyError, UnknownNode, raise_all, suggest
from pycomfy.services.lock.pack_pinning import pin_pack
from pycomfy.services.lock.pack_search import PackSearch, find_identity
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class FoundPacks:
    """The packs that were found, by name, each pinned; why each type is taken from its pack, and each pack at its
    commit; remarks for the user."""

    specs: Mapping[str, SourceSpec] = field(default_factory=dict)
    sources: Mapping[str, PinnedSource] = field(default_factory=dict)
    choices: tuple[ProviderChoice, ...] = ()
    commits: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def search_packs(workspace: Workspace, search: PackSearch) -> FoundPacks:
    """Find and pin a pack for every type. Raises all `AmbiguousNode` and `UnknownNode` at once, before anything is
    fetched; then what pinning raises, and `UnknownNode` for types that a pack turns out not to have."""
    notes: list[str] = []
    choices = _choose(workspace, search, notes)
    _check_configured(choices, search)
    packs: dict[str, list[ProviderChoice]] = {}
    for choice in choices:
        packs.setdefault(choice.pack.identity, []).append(choice)
    names = _name_packs([chosen[0].pack for chosen in packs.values()], (COMFYUI, *search.configured))
    jobs = {
        names[identity]: partial(pin_pack, workspace, names[identity], chosen, search)
        for identity, chosen in sorted(packs.items())
    }
    with operation.step("Find and pin node packs", total=len(jobs)) as task:
        pinned = [one for found in run_concurrently(jobs, task.advance).values() for one in found]
    return FoundPacks(
        specs={one.name: one.spec for one in pinned},
        sources={one.name: one.source for one in pinned},
        choices=tuple(choices),
        commits={one.name: one.found.reason for one in pinned},
        notes=(*notes, *dict.fromkeys(remark for one in pinned for remark in one.found.remarks)),
    )


def _choose(workspace: Workspace, search: PackSearch, notes: list[str]) -> list[ProviderChoice]:
    given = Surroundings(search.comfyui, tuple(search.prefer), fresh=_fetch_missing_catalog(workspace, notes))
    registry = find_registry(workspace.environment)
    knowledge, prefer = _look_up(workspace, search, registry, notes)
    types = list_registry_types(search.types, knowledge)
    registered = {type_: packs for type_ in types if (packs := registry.packs_with(type_))}
    knowledge = Knowledge(knowledge.claims, knowledge.named, registered, search.newer_core)
    preferences = PackPreferences(prefer, frozenset(search.locked_packs()))
    resolution = resolve_packs(search.types, knowledge, preferences)
    choices, problems, answers = list(resolution.choices), [], []
    for question in resolution.questions:
        answer = _ask(question)
        if answer is None:
            problems.append(explain_question(question, search.workflow, given))
        else:
            choices.append(ProviderChoice(question.type, answer, "preference", "you chose this pack"))
            answers.append(answer.url)
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


def _ask(question: ProviderQuestion) -> Listing | None:
    """The pack that the user chooses; None if there is nobody to ask, or they choose none."""
    ask = operation.current().ask
    if ask is None or not question.candidates:
        return None
    options = tuple(operation.Option(short_name(c.pack), describe_candidate(c)) for c in question.candidates)
    chosen = ask(operation.Question(question.type, "which node pack?", question.why, options))
    return None if chosen is None else question.candidates[chosen].pack


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


def _check_configured(choices: Sequence[ProviderChoice], search: PackSearch) -> None:
    """Raise `UnknownNode` where the chosen pack is configured already, but lacks the type at its commit: a second copy
    of it would clash."""
    configured = search.configured.items()
    by_identity = {find_identity(s.repository_url): name for name, s in configured if s.repository_url is not None}
    by_id = {s.registry_id.lower(): name for name, s in configured if s.registry_id is not None}
    problems: list[PycomfyError] = []
    for choice in choices:
        name = by_identity.get(choice.pack.identity) or by_id.get((choice.pack.registry_id or "").lower())
        if name is None:
            continue
        node = Placeholder(f"{name}=COMMIT")
        problems.append(
            UnknownNode(
                f'the node pack {name} should have the node type "{choice.type}" ({choice.evidence}), but at its commit'
                " it does not",
                where=search.describe_nodes(choice.type),
                fix=(
                    suggest("lock", "pins a commit that has it", workflow=search.workflow, node=node),
                    f"if it creates the type while it runs, declare that in pycomfy.toml: [packs.{name}] types = […]",
                ),
            )
        )
    raise_all(problems)
