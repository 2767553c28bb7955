"""What a workflow itself says of the packs of its nodes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from pycomfy.core.catalog.model import COMFY_CORE, CORE_IDENTITIES, Listing
from pycomfy.core.catalog.repository_url import FORGES, parse_repository_url
from pycomfy.core.nodes.pack_resolution import Knowledge
from pycomfy.core.requirements.model import Provenance, RequiredNode

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class StatedProvenance:
    """All that the nodes of one type say. `packs` are different ones, `unknown_names` are ids that nobody knows."""

    packs: tuple[Listing, ...] = ()
    versions: tuple[str, ...] = ()
    unknown_names: tuple[str, ...] = ()
    core: bool = False


def pack_references(nodes: Iterable[RequiredNode]) -> tuple[str, ...]:
    """The registry ids and addresses that the nodes name, each once."""
    names = (name for n in nodes if n.pack is not None for name in (n.pack.cnr_id, n.pack.aux_id) if name is not None)
    return tuple(dict.fromkeys(name for name in names if name != COMFY_CORE))


def read_provenance(nodes: Iterable[RequiredNode], knowledge: Knowledge) -> StatedProvenance:
    """What `nodes`, all of one type, say. An address says where a pack was cloned from, so it goes before an id."""
    packs: dict[str, Listing] = {}
    versions: dict[str, None] = {}
    unknown: dict[str, None] = {}
    core = False
    for node in nodes:
        said = node.pack
        if said is None:
            continue
        if said.cnr_id == COMFY_CORE:
            core = True
            versions.update({said.version: None} if said.version is not None else {})
            continue
        pack = _pack(said, knowledge)
        if pack is None:
            place = parse_repository_url(said.aux_id) if said.aux_id is not None else None
            names = (said.cnr_id, place.url if place is not None else None)
            unknown.update(dict.fromkeys(name for name in names if name is not None))
            continue
        packs[pack.identity] = pack
        versions.update({said.version: None} if said.version is not None else {})
    if any(identity in CORE_IDENTITIES for identity in packs):
        packs, core = {i: p for i, p in packs.items() if not p.is_core}, True
    return StatedProvenance(tuple(packs.values()), sort_versions(versions), tuple(unknown), core)


def newer_core(nodes: Iterable[RequiredNode], pinned: str) -> str | None:
    """The newest ComfyUI that nodes were made with, if that is newer than the version `pinned`."""
    named = sort_versions(
        n.pack.version
        for n in nodes
        if n.pack is not None and n.pack.cnr_id == COMFY_CORE and n.pack.version is not None
    )
    try:
        return next((v for v in named if not COMMIT.fullmatch(v) and Version(v) > Version(pinned)), None)
    except InvalidVersion:
        return None


def _pack(said: Provenance, knowledge: Knowledge) -> Listing | None:
    if said.aux_id is not None:
        known = knowledge.named.get(said.aux_id)
        if known is not None:
            return known
        place = parse_repository_url(said.aux_id)
        # A stranger's file must not make git use this machine's keys, or look around in its network.
        if place is not None and place.file is None and place.url.startswith(tuple(f"https://{f}/" for f in FORGES)):
            return Listing(place.identity, place.url)
    return knowledge.named.get(said.cnr_id) if said.cnr_id is not None else None


def newest(*versions: str | None) -> str | None:
    """The newest of the versions that there are; a commit goes before every number."""
    return next(iter(sort_versions(v for v in versions if v is not None)), None)


def sort_versions(versions: Iterable[str]) -> tuple[str, ...]:
    """Versions newest first; commits, whose order only their repository knows, before them, sorted."""

    def key(text: str) -> tuple[int, Version, str]:
        try:
            return (0, Version(text), text) if not COMMIT.fullmatch(text) else (1, Version("0"), text)
        except InvalidVersion:
            return (-1, Version("0"), text)

    return tuple(sorted(dict.fromkeys(versions), key=key, reverse=True))
