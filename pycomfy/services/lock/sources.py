"""The code of a lock: ComfyUI and node packs, pinned, so that each node type of the workflow is one's of theirs."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.nodes.pack_resolution import UnresolvedType
from pycomfy.core.nodes.provenance import newer_core
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.requirements.providers import match_providers, running_types
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.services.lock.node_packs import FoundPacks, PackSearch, search_packs
from pycomfy.services.lock.python import read_index_config
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class CodeRequest:
    """What code is needed for: the nodes of the workflow at `where`. Relative paths are relative to `base`; `as_of` is
    the date, if one was asked for; packs of the lock so far stay at their commits, but those that `renewal` renews."""

    nodes: Sequence[RequiredNode]
    where: str
    base: Path
    as_of: datetime | None
    renewal: UpdatePolicy


@dataclass(frozen=True)
class PinnedCode:
    """`config` has all packs, also those that were found; `sources` are ComfyUI's and theirs, by name; `supplied` are
    the types that the workflow takes from each pack. `hunted` says why packs were found, and why at their commits."""

    config: Config
    sources: Mapping[str, PinnedSource]
    supplied: Mapping[str, tuple[str, ...]]
    hunted: FoundPacks

    @property
    def comfyui_version(self) -> str:
        """The version that ComfyUI's own files say; "unknown" if they say none."""
        return _read_version(self.sources[COMFYUI].files)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user."""
        idle = (
            f"the node pack {name} supplies nothing to this workflow"
            for name, types in self.supplied.items()
            if not types
        )
        return (*self.hunted.notes, *idle)


def pin_code(workspace: Workspace, config: Config, need: CodeRequest) -> PinnedCode:
    """Pin ComfyUI and the packs that `config` names, and find packs for the types that these do not have.

    Raises `UnknownNode` and `AmbiguousNode` for types that nobody has, or several may have, and what pinning raises.
    """
    sources = _pin_sources(workspace, config, need.base)
    builtin = {*read_comfyui(sources[COMFYUI].files, workspace.paths.cache).types, *config.comfyui.types}
    types = _pack_types(workspace, config.packs, sources)
    known = {*builtin, *(type_ for own in types.values() for type_ in own)}
    wanted = [
        UnresolvedType(type_, tuple(found)) for type_, found in running_types(need.nodes).items() if type_ not in known
    ]
    hunted = FoundPacks()
    if wanted:
        hunt = PackSearch(
            tuple(wanted),
            need.where,
            prefer=config.prefer,
            taken=config.packs,
            core=newer_core(need.nodes, _read_version(sources[COMFYUI].files)),
            before=need.as_of,
            renewal=need.renewal,
        )
        hunted = search_packs(workspace, hunt)
        config = config.model_copy(update={"packs": {**config.packs, **hunted.specs}})
        sources = {**sources, **hunted.sources}
        types = _pack_types(workspace, config.packs, sources)
    return PinnedCode(config, sources, match_providers(need.nodes, builtin, types, need.where), hunted)


def _pin_sources(workspace: Workspace, config: Config, base: Path) -> dict[str, PinnedSource]:
    """ComfyUI and every pack, by name."""
    specs: dict[str, SourceSpec] = {COMFYUI: config.comfyui, **config.packs}
    reach = read_index_config(config, base)
    with operation.step("Pin ComfyUI and node packs", total=len(specs)) as task:
        return run_concurrently(
            {n: partial(pin_source, spec, base, n, workspace.paths, reach) for n, spec in specs.items()}, task.advance
        )


def _pack_types(
    workspace: Workspace, packs: Mapping[str, SourceSpec], sources: Mapping[str, PinnedSource]
) -> dict[str, set[str]]:
    return {
        name: {*read_pack(sources[name].files, workspace.paths.cache).types, *spec.types}
        for name, spec in packs.items()
    }


def _read_version(files: Mapping[str, str]) -> str:
    match = re.search(
        r"""^__version__\s*=\s*["']([^"'\s]{1,50})["']""", files.get("comfyui_version.py", ""), re.MULTILINE
    )
    if match:
        return match[1]
    try:
        return str(tomllib.loads(files.get("pyproject.toml", ""))["project"]["version"])[:50]
    except (ValueError, RecursionError, KeyError, TypeError):
        return "unknown"
