"""The node packs that a workflow needs and nobody named: found, pinned, and checked to have what they are for."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pycomfy import operation
from pycomfy.adapters.catalog.commit_search import CommitQuery, FoundCommit, find_commit, pin_file_address
from pycomfy.adapters.catalog.registry_client import Registry, find_registry
from pycomfy.adapters.catalog.update import update_catalog
from pycomfy.adapters.git.checkout import MAX_TEXT
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.download import read
from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.analysis.node_types import class_types
from pycomfy.core.catalog.model import Listing
from pycomfy.core.catalog.repository_url import parse_repository_url
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.names import COMFYUI, plain_name, unique_name
from pycomfy.core.lockfile.schema import Pack
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.nodes.pack_errors import describe_candidate, explain_question, short_name
from pycomfy.core.nodes.pack_resolution import (
    Knowledge,
    PackPreferences,
    ProviderChoice,
    ProviderQuestion,
    UnresolvedType,
)
from pycomfy.core.nodes.pack_resolver import list_registry_types, resolve_packs
from pycomfy.core.nodes.provenance import pack_references, sort_versions
from pycomfy.core.requirements.providers import describe_locations
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.sources.url import UrlSpec
from pycomfy.errors import BadInput, NotFound, PycomfyError, UnknownNode, raise_all
from pycomfy.services.workspace import Workspace

"""Puts a question to the user; None if there is no answer."""


@dataclass(frozen=True)
class PackSearch:
    """What to look for: types without a pack, for the workflow at `where`.

    `prefer` are the user's preferences as they were written, `taken` the packs that are there, `core` the ComfyUI that
    the workflow was made with if it is newer than the pinned one, `before` the date the lock is as of, if one was asked
    for. Packs of the lock so far stay at their commits, but those that `renewal` renews.
    """

    wanted: Sequence[UnresolvedType]
    where: str
    prefer: Sequence[str] = ()
    taken: Mapping[str, SourceSpec] = field(default_factory=dict)
    core: str | None = None
    before: datetime | None = None
    renewal: UpdatePolicy = field(default_factory=UpdatePolicy)


@dataclass(frozen=True)
class FoundPacks:
    """The packs found, by name, each pinned; why each type is taken from which; remarks for the user."""

    specs: Mapping[str, SourceSpec] = field(default_factory=dict)
    sources: Mapping[str, PinnedSource] = field(default_factory=dict)
    choices: tuple[ProviderChoice, ...] = ()
    commits: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def search_packs(workspace: Workspace, hunt: PackSearch) -> FoundPacks:
    """Find and pin a pack for every type. Raises all `AmbiguousNode` and `UnknownNode` at once, before anything is
    fetched; then what pinning raises, and `UnknownNode` for types that a pack turns out not to have."""
    notes: list[str] = []
    choices = _choose(workspace, hunt, notes)
    _refuse_taken(choices, hunt)
    packs: dict[str, list[ProviderChoice]] = {}
    for choice in choices:
        packs.setdefault(choice.pack.identity, []).append(choice)
    names = _names([found[0].pack for found in packs.values()], (COMFYUI, *hunt.taken))
    jobs = {
        names[identity]: partial(_pin, workspace, names[identity], found, hunt)
        for identity, found in sorted(packs.items())
    }
    with operation.step("Find and pin node packs", total=len(jobs)) as task:
        pinned = [one for found in run_concurrently(jobs, task.advance).values() for one in found]
    return FoundPacks(
        specs={one.name: one.spec for one in pinned},
        sources={one.name: one.source for one in pinned},
        choices=tuple(choices),
        commits={one.name: one.found.why for one in pinned},
        notes=(*notes, *dict.fromkeys(doubt for one in pinned for doubt in one.found.doubts)),
    )


# — choosing —


def _choose(workspace: Workspace, hunt: PackSearch, notes: list[str]) -> list[ProviderChoice]:
    _refresh_if_missing(workspace, notes)
    registry = find_registry()
    knowledge, prefer = _look_up(workspace, hunt, registry, notes)
    types = list_registry_types(hunt.wanted, knowledge)
    registered = {type_: packs for type_ in types if (packs := registry.packs_with(type_))}
    knowledge = Knowledge(knowledge.claims, knowledge.named, registered, hunt.core)
    chosen = resolve_packs(hunt.wanted, knowledge, PackPreferences(prefer, frozenset(_locked(hunt))))
    choices, problems = list(chosen.choices), []
    for question in chosen.questions:
        answer = _ask(question)
        if answer is None:
            problems.append(explain_question(question, hunt.where))
        else:
            choices.append(ProviderChoice(question.type, answer, "preference", "you chose this pack"))
            notes.append(f'to be asked no more, write at the top of pycomfy.toml: prefer = ["{answer.url}"]')
    if registry.remark is not None:
        notes.append(registry.remark)
    if problems:
        for note in notes:
            operation.report(f"note: {note}")
    raise_all(problems)
    return choices


def _ask(question: ProviderQuestion) -> Listing | None:
    """The pack that whoever started the operation chooses; None if there is nobody to ask, or they choose none."""
    ask = operation.current().ask
    if ask is None or not question.candidates:
        return None
    options = tuple(operation.Option(short_name(c.pack), describe_candidate(c)) for c in question.candidates)
    chosen = ask(operation.Question(question.type, "which node pack?", question.why, options))
    return None if chosen is None else question.candidates[chosen].pack


def _refresh_if_missing(workspace: Workspace, notes: list[str]) -> None:
    """Without a catalog, or with one of another pycomfy, make one; else the workflow's own addresses have to do."""
    try:
        workspace.open_catalog().close()
    except (NotFound, BadInput):
        try:
            notes.extend(update_catalog(workspace.paths).remarks)
        except PycomfyError as e:
            notes.append(f"there is no catalog of node packs, and none can be fetched: {e.what}")


def _look_up(
    workspace: Workspace, hunt: PackSearch, registry: Registry, notes: list[str]
) -> tuple[Knowledge, tuple[str, ...]]:
    """What catalog and registry know of the types and of the packs that workflow and user name; and the preferences
    as identities."""
    said = dict.fromkeys(name for one in hunt.wanted for name in pack_references(one.nodes))
    names = [*said, *hunt.prefer]
    named: dict[str, Listing] = {}
    claims = {}
    try:
        with workspace.open_catalog() as catalog:
            claims = catalog.claims(one.type for one in hunt.wanted)
            named = {name: pack for name in names if (pack := catalog.find(name)) is not None}
    except (NotFound, BadInput):
        pass
    for name in names:
        if name not in named and parse_repository_url(name) is None and (pack := registry.find(name)) is not None:
            named[name] = pack
    prefer: list[str] = []
    for name in hunt.prefer:
        place = parse_repository_url(name)
        if name in named:
            prefer.append(named[name].identity)
        elif place is not None:
            prefer.append(place.identity)
        else:
            notes.append(f"the preferred pack {name} is not known")
    return Knowledge(claims, named), tuple(prefer)


def _locked(hunt: PackSearch) -> dict[str, Pack]:
    """The packs of the lock so far that come from git, by identity."""
    packs = hunt.renewal.lock.packs if hunt.renewal.lock is not None else ()
    found = {_identity(pack.source.repository.url): pack for pack in packs if pack.source.repository is not None}
    return {identity: pack for identity, pack in found.items() if identity is not None}


def _locked_commit(hunt: PackSearch, identity: str) -> str | None:
    """The commit a pack stays at; None if it is new, or to be renewed."""
    pack = _locked(hunt).get(identity)
    if pack is None or pack.source.repository is None or hunt.renewal.renews(pack.name):
        return None
    return pack.source.repository.commit


def _names(packs: Sequence[Listing], taken: Iterable[str]) -> dict[str, str]:
    """Identity -> the folder's name, that of the repository; with the owner where two are called the same."""
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


# — pinning —


@dataclass(frozen=True)
class _PinnedPack:
    name: str
    spec: SourceSpec
    source: PinnedSource
    found: FoundCommit


def _pin(workspace: Workspace, name: str, choices: Sequence[ProviderChoice], hunt: PackSearch) -> list[_PinnedPack]:
    pack = choices[0].pack
    if pack.files:
        return _pin_files(workspace, name, choices, hunt)
    repository = GitMirror(pack.url, owner=name, cache=workspace.paths.cache / "git")
    types = tuple(sorted(c.type for c in choices))
    locked = _locked_commit(hunt, pack.identity)
    if locked is not None:
        found = find_commit(repository, CommitQuery((locked,), None, types), workspace.paths.cache)
        found = replace(found, why=found.why.replace("the workflow's commit", "the lock's commit"))
    else:
        versions = sort_versions(v for c in choices for v in c.versions)
        found = find_commit(repository, CommitQuery(versions, hunt.before, types), workspace.paths.cache)
    raise_all([_lacking(name, c, found.why, hunt) for c in choices if c.type in found.absent])
    spec = GitSpec.model_validate({"git": pack.url, "rev": found.commit, "types": found.unseen})
    return [_PinnedPack(name, spec, pin_source(spec, Path(), name, workspace.paths), found)]


def _pin_files(
    workspace: Workspace, name: str, choices: Sequence[ProviderChoice], hunt: PackSearch
) -> list[_PinnedPack]:
    """Packs that are single Python files: those files, at the newest commit, that have the types."""
    missing = {c.type: c for c in choices}
    pinned = []
    for address in choices[0].pack.files:
        url, date = pin_file_address(address, name, workspace.paths.cache / "git")
        data = read(url, limit=MAX_TEXT)
        types = class_types({"__init__.py": data.decode(errors="replace")}).keys() & missing.keys()
        if not types:
            continue
        for type_ in types:
            del missing[type_]
        spec = UrlSpec.model_validate({"url": url, "sha256": hashlib.sha256(data).hexdigest()})
        own = unquote(urlsplit(url).path).rsplit("/", 1)[-1].removesuffix(".py")
        source = replace(pin_source(spec, Path(), name, workspace.paths), date=date)
        pinned.append(
            _PinnedPack(plain_name(own) or name, spec, source, FoundCommit("", "the newest version of the file"))
        )
    raise_all([_lacking(name, choice, "the newest version of its files", hunt) for choice in missing.values()])
    return pinned


def _refuse_taken(choices: Sequence[ProviderChoice], hunt: PackSearch) -> None:
    """A pack that is there, and lacks a type that is said to be its own, is at the wrong commit; two would clash."""
    places = {_identity(s.repository_url): name for name, s in hunt.taken.items() if s.repository_url is not None}
    ids = {s.registry_id.lower(): name for name, s in hunt.taken.items() if s.registry_id is not None}
    problems: list[PycomfyError] = []
    for choice in choices:
        name = places.get(choice.pack.identity) or ids.get((choice.pack.registry_id or "").lower())
        if name is None:
            continue
        problems.append(
            UnknownNode(
                f'the node pack {name} is said to have the node type "{choice.type}" ({choice.evidence}), but at its'
                " commit it does not",
                where=_where(choice, hunt),
                fix=f"pin a commit that has it: --node {name}=COMMIT; or, if it makes the type while it runs, say so in"
                f" pycomfy.toml: [packs.{name}] types = […]",
            )
        )
    raise_all(problems)


def _where(choice: ProviderChoice, hunt: PackSearch) -> str:
    return describe_locations(list(next(one.nodes for one in hunt.wanted if one.type == choice.type)), hunt.where)


def _identity(url: str) -> str | None:
    """The identity of a repository on the web; a local one is none of the catalog's."""
    place = None if parse_git_url(url).local else parse_repository_url(url)
    return place.identity if place is not None else None


def _lacking(name: str, choice: ProviderChoice, why: str, hunt: PackSearch) -> UnknownNode:
    return UnknownNode(
        f'the node pack {name} does not have the node type "{choice.type}": neither {why} nor another commit that'
        f" changed it ({choice.evidence})",
        where=_where(choice, hunt),
        fix=f"name the right pack: --pack NAME=URL[@COMMIT]; or, if this one makes the type while it runs, say so in"
        f' pycomfy.toml: packs.{name} = {{ git = "{choice.pack.url}", types = ["…"] }}',
    )
