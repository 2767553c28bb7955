"""Find node types that a pack dropped, in the history of packs that pycomfy.toml names or that other types need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pycomfy import operation
from pycomfy.adapters.catalog.commit_search import CommitQuery, FoundCommit, find_commit
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.sources.git import join_address
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.catalog.model import Listing
from pycomfy.core.lockfile.toml import render_key
from pycomfy.core.nodes.pack_resolution import NamedPack, ProviderChoice, ProviderQuestion
from pycomfy.core.sources.git import GitSpec
from pycomfy.errors import Fix, NetworkError, NotFound, PycomfyError, UnknownNode, UnpinnedPack, suggest
from pycomfy.services.lock.pack_pinning import PinnedPack, find_pack_commit
from pycomfy.services.lock.pack_search import PackSearch
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class MovedPacks:
    """Packs of pycomfy.toml that are `moved` to another commit, and `problems`."""

    moved: tuple[PinnedPack, ...] = ()
    problems: tuple[PycomfyError, ...] = ()


def is_searchable(question: ProviderQuestion, configured: Mapping[str, Listing]) -> bool:
    """Return whether histories may tell: no list knows the type, and the workflow names no other pack than one of
    pycomfy.toml."""
    if question.unknown_names:
        return not question.candidates and bool(_list_possible(question, configured))
    return question.unlisted or bool(question.makers)


def _list_possible(question: ProviderQuestion, configured: Mapping[str, Listing]) -> list[str]:
    """The packs of pycomfy.toml that may have had the type: those that the workflow names, if it names any."""
    return [
        name
        for name, pack in sorted(configured.items())
        if all(NamedPack(name, pack).is_called(called) for called in question.unknown_names)
    ]


def find_unlisted(
    workspace: Workspace,
    search: PackSearch,
    configured: Mapping[str, Listing],
    choices: Sequence[ProviderChoice],
    questions: Sequence[ProviderQuestion],
) -> tuple[list[ProviderChoice], list[ProviderQuestion]]:
    """Return choices for those types that nothing lists, but the history of exactly one pack defines, and the questions
    that are left. Packs of pycomfy.toml go before those that other types need."""
    found: list[ProviderChoice] = []
    left: list[ProviderQuestion] = []
    needed: dict[str, list[ProviderChoice]] = {}
    for choice in choices:
        if not choice.pack.files and choice.pack.identity not in {pack.identity for pack in configured.values()}:
            needed.setdefault(choice.pack.identity, []).append(choice)
    for question in questions:
        named = [
            ProviderChoice(question.type, configured[name], "configured", "you named the pack, and its history has it")
            for name in _list_possible(question, configured)
            if name not in search.makers and find_in_history(workspace, search, name, (question.type,)) is not None
        ]
        others = [] if named or question.unknown_names else _find_in_needed(workspace, search, needed, question.type)
        answers = named or others
        if len(answers) == 1:
            found.append(answers[0])
        elif answers:
            packs = " and ".join(sorted(choice.pack.url for choice in answers))
            left.append(replace(question, why=f"no list has it, and the histories of {packs} have it", makers=()))
        else:
            left.append(question)
    return found, left


def move_configured(
    workspace: Workspace, search: PackSearch, lacking: Mapping[str, Sequence[ProviderChoice]]
) -> MovedPacks:
    """Return the packs of pycomfy.toml at commits that have the types that they are `lacking`, by their names there; a
    problem for each type that no commit has, or where pycomfy.toml names the revision."""
    moved: list[PinnedPack] = []
    problems: list[PycomfyError] = []
    for name, choices in sorted(lacking.items()):
        types = tuple(sorted(choice.type for choice in choices))
        spec = search.configured[name]
        found = find_in_history(workspace, search, name, types)
        if found is None or not isinstance(spec, GitSpec) or spec.rev is not None:
            problems += [_explain_lacking(name, choice, search, found) for choice in choices]
            continue
        spec = spec.model_copy(update={"rev": found.commit})
        moved.append(PinnedPack(name, spec, pin_source(spec, search.base, name, workspace.paths), found))
    return MovedPacks(tuple(moved), tuple(problems))


def find_in_history(workspace: Workspace, search: PackSearch, name: str, types: Sequence[str]) -> FoundCommit | None:
    """Return the last commit of a pack of pycomfy.toml whose source defines `types`, and all that the workflow takes
    from it; None if there is none, or it is no git repository."""
    spec, pinned = search.configured[name], search.sources.get(name)
    source = pinned.source.repository if pinned is not None else None
    if not isinstance(spec, GitSpec) or source is None:
        return None
    address = join_address(spec.git, search.base)
    repository = GitMirror(address, owner=name, cache=workspace.paths.cache / "git")
    wanted = tuple(sorted({*types, *search.provided.get(name, ())}))
    try:
        found = find_commit(repository, CommitQuery((source.commit,), None, wanted), workspace.paths.cache)
    except (NetworkError, NotFound, UnpinnedPack) as e:
        operation.report(f"note: the history of {name} cannot be searched: {e.what}")
        return None
    if set(types) & {*found.missing, *found.dynamic}:
        return None

    def translate(text: str) -> str:
        return text.replace("the workflow's commit", "the newest commit" if spec.rev is None else "its commit")

    return replace(found, reason=translate(found.reason), remarks=tuple(map(translate, found.remarks)))


def _find_in_needed(
    workspace: Workspace, search: PackSearch, needed: Mapping[str, Sequence[ProviderChoice]], type_: str
) -> list[ProviderChoice]:
    """The packs that other types need, as far as their sources define `type_` too at one commit."""
    answers = []
    for chosen in needed.values():
        pack = chosen[0].pack
        evidence = f'"{chosen[0].type}" needs this pack anyway, and its source or history has this one'
        choice = ProviderChoice(type_, pack, "together", evidence)
        name = pack.repository
        try:
            found = find_pack_commit(workspace, name, [*chosen, choice], search)
        except (NetworkError, NotFound, UnpinnedPack) as e:
            operation.report(f"note: the history of {name} cannot be searched: {e.what}")
            continue
        if type_ not in (*found.missing, *found.dynamic):
            answers.append(choice)
    return answers


def _explain_lacking(name: str, choice: ProviderChoice, search: PackSearch, found: FoundCommit | None) -> UnknownNode:
    fix: list[str | Fix] = []
    if found is not None:
        pin = f"{name}={found.commit}"
        fix.append(suggest("lock", "the last commit that has it", workflow=search.workflow, node=pin))
    declared = f"[packs.{render_key(name)}] types = […]"
    fix.append(f"if it creates the type while it runs, declare that in pycomfy.toml: {declared}")
    history = "" if found is not None else ", and no commit of its history defines it together with its other types"
    return UnknownNode(
        f'the node pack {name} should have the node type "{choice.type}" ({choice.evidence}), but at its commit it does'
        f" not{history}",
        where=search.describe_nodes(choice.type),
        fix=tuple(fix),
    )
