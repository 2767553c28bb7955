"""The code of a lock: ComfyUI and node packs, pinned, so that each node type of the workflow is one's of theirs."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from pycomfy.adapters.catalog.node_type_cache import read_comfyui, read_pack
from pycomfy.adapters.io.concurrency import together
from pycomfy.adapters.io.paths import Home
from pycomfy.adapters.sources.pin import Pinned, pin_source
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.source_specs import Spec
from pycomfy.core.lockfile.update_policy import Renewal
from pycomfy.core.nodes.pack_resolution import Wanted
from pycomfy.core.nodes.provenance import newer_core
from pycomfy.core.requirements.model import NeededNode
from pycomfy.core.requirements.providers import match_types, running_types
from pycomfy.progress import Progress
from pycomfy.services.lock.node_packs import Ask, Hunt, Hunted, hunt_packs
from pycomfy.services.lock.python import find_reach
from pycomfy.services.lock_request import COMFYUI


@dataclass(frozen=True)
class Need:
    """What code is needed for: the nodes of the workflow at `where`. Relative paths are relative to `base`; `as_of` is
    the date, if one was asked for; packs of the lock so far stay at their commits, but those that `renewal` renews."""

    nodes: Sequence[NeededNode]
    where: str
    base: Path
    as_of: datetime | None
    renewal: Renewal


@dataclass(frozen=True)
class Code:
    """`config` has all packs, also those that were found; `sources` are ComfyUI's and theirs, by name; `supplied` are
    the types that the workflow takes from each pack. `hunted` says why packs were found, and why at their commits."""

    config: Config
    sources: Mapping[str, Pinned]
    supplied: Mapping[str, tuple[str, ...]]
    hunted: Hunted

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


def pin_code(config: Config, need: Need, home: Home, progress: Progress, ask: Ask | None) -> Code:
    """Pin ComfyUI and the packs that `config` names, and find packs for the types that these do not have.

    Raises `UnknownNode` and `AmbiguousNode` for types that nobody has, or several may have, and what pinning raises.
    """
    sources = _pin_sources(config, need.base, home, progress)
    builtin = {*read_comfyui(sources[COMFYUI].files, home.cache).types, *config.comfyui.types}
    types = _pack_types(config.packs, sources, home)
    known = {*builtin, *(type_ for own in types.values() for type_ in own)}
    wanted = [Wanted(type_, tuple(found)) for type_, found in running_types(need.nodes).items() if type_ not in known]
    hunted = Hunted()
    if wanted:
        hunt = Hunt(
            tuple(wanted),
            need.where,
            prefer=config.prefer,
            taken=config.packs,
            core=newer_core(need.nodes, _read_version(sources[COMFYUI].files)),
            before=need.as_of,
            renewal=need.renewal,
        )
        hunted = hunt_packs(hunt, home, progress, ask)
        config = config.model_copy(update={"packs": {**config.packs, **hunted.specs}})
        sources = {**sources, **hunted.sources}
        types = _pack_types(config.packs, sources, home)
    return Code(config, sources, match_types(need.nodes, builtin, types, need.where), hunted)


def _pin_sources(config: Config, base: Path, home: Home, progress: Progress) -> dict[str, Pinned]:
    """ComfyUI and every pack, by name."""
    specs: dict[str, Spec] = {COMFYUI: config.comfyui, **config.packs}
    reach = find_reach(config, base)
    with progress.step("Pin ComfyUI and node packs", total=len(specs)) as task:
        return together({n: partial(pin_source, spec, base, n, home, reach) for n, spec in specs.items()}, task.advance)


def _pack_types(packs: Mapping[str, Spec], sources: Mapping[str, Pinned], home: Home) -> dict[str, set[str]]:
    return {name: {*read_pack(sources[name].files, home.cache).types, *spec.types} for name, spec in packs.items()}


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
