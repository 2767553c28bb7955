"""Pin the sources of a lock: ComfyUI, and node packs so that exactly one provides each node type of the workflow."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.catalog.node_type_cache import read_comfyui, read_pack
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.toml import render_key
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.nodes.pack_resolution import UnresolvedType
from pycomfy.core.nodes.provenance import newer_core
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import match_providers, running_types
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.workflow.core_replacements import find_replacements
from pycomfy.services.lock.node_packs import FoundPacks, search_packs
from pycomfy.services.lock.pack_search import PackSearch
from pycomfy.services.lock.python import read_index_config
from pycomfy.services.workspace import Workspace

MAX_SHOWN = 5
"""Nodes that one remark names."""

UNKNOWN = "unknown"
"""The version of a source whose files have none."""

ABBREVIATED_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class CodeRequest:
    """What code is needed for: the nodes of the workflow at `where`. Relative paths are relative to `base`; `as_of` is
    the configured date, if there is one; `edited` is when the file was made at the latest, if that is known. Packs of
    the earlier lock keep their commits, except those that `policy` renews."""

    nodes: Sequence[RequiredNode]
    where: str
    base: Path
    as_of: datetime | None
    policy: UpdatePolicy
    edited: datetime | None = None


@dataclass(frozen=True)
class PinnedCode:
    """`config` has all packs, including those that were `found`; `sources` are ComfyUI's and theirs, by name;
    `provided` are the types that the workflow takes from each pack."""

    config: Config
    sources: Mapping[str, PinnedSource]
    provided: Mapping[str, tuple[str, ...]]
    found: FoundPacks
    other_versions: tuple[str, ...] = ()
    """Remarks on packs that are not at the version that the workflow names."""
    nodes: tuple[RequiredNode, ...] = ()
    """The nodes of the workflow; those that exist in the editor only are left out."""
    left_out: tuple[str, ...] = ()
    """Remarks on these."""

    @property
    def comfyui_version(self) -> str:
        """ComfyUI's version according to its own files; "unknown" if they have none."""
        return _read_version(self.sources[COMFYUI].files)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user."""
        unused = [name for name, types in self.provided.items() if not types]
        names = f"packs {', '.join(unused)} provide" if len(unused) > 1 else f"pack {''.join(unused)} provides"
        note = (f"the node {names} nothing to this workflow",) if unused else ()
        return (*self.found.notes, *self.left_out, *self.other_versions, *note)


def pin_code(workspace: Workspace, config: Config, request: CodeRequest) -> PinnedCode:
    """Pin ComfyUI and the packs that `config` names, and find packs for the types that these do not have.

    Raises `UnknownNode` and `AmbiguousNode` for types that no known pack, or several, may provide; and what pinning
    raises.
    """
    sources = _pin_sources(workspace, config, request.base)
    builtin = {*read_comfyui(sources[COMFYUI].files, workspace.paths.cache).types, *config.comfyui.types}
    types = _pack_types(workspace, config.packs, sources)
    known = {*builtin, *(type_ for own in types.values() for type_ in own)}
    nodes, accepted = _leave_out_accepted(request.nodes, config.accept.editor_only, known)
    running = running_types(nodes)
    unresolved = [UnresolvedType(type_, tuple(nodes)) for type_, nodes in running.items() if type_ not in known]
    found = FoundPacks()
    if unresolved:
        search = PackSearch(
            tuple(unresolved),
            request.where,
            prefer=config.prefer,
            configured=config.packs,
            makers=_find_makers(workspace, config.packs, sources, [one.type for one in unresolved]),
            sources=sources,
            provided={name: tuple(sorted((own & running.keys()) - builtin)) for name, own in types.items()},
            base=request.base,
            comfyui="comfyui" in config.model_fields_set,
            newer_core=newer_core(nodes, _read_version(sources[COMFYUI].files)),
            before=request.as_of,
            edited=request.edited,
            replaced=find_replacements(sources[COMFYUI].files, builtin),
            policy=request.policy,
        )
        found = search_packs(workspace, search)
        config = config.model_copy(update={"packs": {**_add_types(config.packs, found.assumed), **found.specs}})
        sources = {**sources, **found.sources}
        types = _pack_types(workspace, config.packs, sources)
    nodes, apart = _leave_out_apart(nodes, {*builtin, *(type_ for own in types.values() for type_ in own)})
    provided = match_providers(nodes, builtin, types, request.where)
    other = (
        *_find_other_versions(nodes, config.packs, sources, provided, found),
        *_find_kept_versions(nodes, sources, provided, found, request.policy),
    )
    return PinnedCode(config, sources, provided, found, other, nodes, (*accepted, *apart))


def _leave_out_accepted(
    nodes: Sequence[RequiredNode], accepted: Sequence[str], known: Collection[str]
) -> tuple[tuple[RequiredNode, ...], list[str]]:
    """The nodes with those left out that pycomfy.toml says exist in the editor only, and remarks on entries that are
    wrong: a type that ComfyUI or a pack has runs."""
    notes = [
        f"editor-only in pycomfy.toml names {type_}, but {why}"
        for type_ in dict.fromkeys(accepted)
        if (why := "ComfyUI or a node pack of pycomfy.toml has it" * (type_ in known))
        or (why := "no node is of this type" * all(node.type != type_ for node in nodes))
    ]
    left = {type_ for type_ in accepted if type_ not in known}
    return tuple(_leave_out(node) if node.type in left else node for node in nodes), notes


def _leave_out_apart(
    nodes: Sequence[RequiredNode], known: Collection[str]
) -> tuple[tuple[RequiredNode, ...], list[str]]:
    """The nodes with those left out that nothing can be linked to, and that nothing provides; and a remark on them."""
    left = [node for node in nodes if node.apart and node.state == "runs" and node.type not in known]
    if not left:
        return tuple(nodes), []
    shown = [f"{node.id} ({node.type})" for node in left[:MAX_SHOWN]]
    more = f" and {len(left) - MAX_SHOWN} more" if len(left) > MAX_SHOWN else ""
    note = (
        f"left out, because nothing can be linked to them and no pack is certain to define their types: node "
        f"{', '.join(shown)}{more}; if one does something in ComfyUI, name its pack in pycomfy.toml"
    )
    return tuple(_leave_out(node) if node in left else node for node in nodes), [note]


def _leave_out(node: RequiredNode) -> RequiredNode:
    return replace(node, state="left-out") if node.state == "runs" else node


def _pin_sources(workspace: Workspace, config: Config, base: Path) -> dict[str, PinnedSource]:
    """ComfyUI and every pack, by name."""
    specs: dict[str, SourceSpec] = {COMFYUI: config.comfyui, **config.packs}
    indexes = read_index_config(config, base, workspace.environment)
    with operation.step("Pin ComfyUI and node packs", total=len(specs)) as task:
        return run_concurrently(
            {n: partial(pin_source, spec, base, n, workspace.paths, indexes) for n, spec in specs.items()}, task.advance
        )


def _pack_types(
    workspace: Workspace, packs: Mapping[str, SourceSpec], sources: Mapping[str, PinnedSource]
) -> dict[str, set[str]]:
    return {
        name: {*read_pack(sources[name].files, workspace.paths.cache).types, *spec.types}
        for name, spec in packs.items()
    }


def _find_makers(
    workspace: Workspace, packs: Mapping[str, SourceSpec], sources: Mapping[str, PinnedSource], types: Sequence[str]
) -> dict[str, frozenset[str]]:
    """The packs that make node types while they run, and which of `types` their sources have as text."""
    makers = {}
    for name in packs:
        files = sources[name].files
        if read_pack(files, workspace.paths.cache).makes_types:
            code = "\n".join(text for path, text in files.items() if path.endswith(".py"))
            makers[name] = frozenset(t for t in types if f'"{t}"' in code or f"'{t}'" in code)
    return makers


def _add_types(packs: Mapping[str, SourceSpec], assumed: Mapping[str, tuple[str, ...]]) -> dict[str, SourceSpec]:
    """The packs, with the types that they are assumed to make while they run."""
    return {
        name: spec.model_copy(update={"types": (*spec.types, *assumed[name])}) if name in assumed else spec
        for name, spec in packs.items()
    }


def _find_other_versions(
    nodes: Sequence[RequiredNode],
    packs: Mapping[str, SourceSpec],
    sources: Mapping[str, PinnedSource],
    provided: Mapping[str, tuple[str, ...]],
    found: FoundPacks,
) -> Iterator[str]:
    """Say where the workflow names another version of a pack than the newest commit that is taken, because
    pycomfy.toml names its repository without a revision."""
    owners = {type_: name for name, types in provided.items() for type_ in types}
    told: set[tuple[str, str]] = set()
    for node in nodes:
        name, stated = owners.get(node.type), node.pack
        if name is None or name in found.specs or stated is None or stated.version is None:
            continue
        spec, pinned, version = packs[name], sources[name], stated.version
        repository = pinned.source.repository
        if not isinstance(spec, GitSpec) or spec.rev is not None or repository is None or (name, version) in told:
            continue
        if _is_at(pinned, version):
            continue
        told.add((name, version))
        by_id = f'registry = "{stated.cnr_id}", version = "{version}"' if stated.cnr_id else "the commit as rev"
        how = f'rev = "{version}"' if ABBREVIATED_COMMIT.fullmatch(version) else by_id
        yield (
            f"the workflow names version {version} of {name}, but [packs.{render_key(name)}] no revision, so the newest"
            f" commit is taken; to take that version, write {how}"
        )


def _find_kept_versions(
    nodes: Sequence[RequiredNode],
    sources: Mapping[str, PinnedSource],
    provided: Mapping[str, tuple[str, ...]],
    found: FoundPacks,
    policy: UpdatePolicy,
) -> Iterator[str]:
    """Say where a pack stays at the commit of the earlier lock, although the workflow names another version of it."""
    before = policy.lock.sources if policy.lock is not None else {}
    for name in found.specs:
        pinned = sources[name]
        repository = pinned.source.repository
        if repository is None or before.get(name) != pinned.source:
            continue
        stated = {n.pack.version: None for n in nodes if n.type in provided[name] and n.pack is not None}
        named = [version for version in stated if version is not None]
        # Without a version of its own, a pack may be at the one that is named.
        known = _read_version(pinned.files) != UNKNOWN
        comparable = [v for v in named if ABBREVIATED_COMMIT.fullmatch(v) or known]
        if not comparable or any(_is_at(pinned, version) for version in named):
            continue
        yield (
            f"the workflow names version {comparable[0]} of {name}, but the lock has another commit of it,"
            f" {repository.commit[:10]}, which stays until {name} is updated"
        )


def _is_at(pinned: PinnedSource, version: str) -> bool:
    """Whether a source is at that commit, which may be abbreviated, or at that version by its own files."""
    repository = pinned.source.repository
    at = repository is not None and repository.commit.startswith(version)
    return at or _read_version(pinned.files) == version


def _read_version(files: Mapping[str, str]) -> str:
    match = re.search(
        r"""^__version__\s*=\s*["']([^"'\s]{1,50})["']""", files.get("comfyui_version.py", ""), re.MULTILINE
    )
    if match:
        return match[1]
    try:
        return str(tomllib.loads(files.get("pyproject.toml", ""))["project"]["version"])[:50]
    except (ValueError, RecursionError, KeyError, TypeError):
        return UNKNOWN
