"""Read the provenance of nodes: what a workflow itself says about their packs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from pycomfy.core.catalog.model import CORE_IDENTITIES, Listing
from pycomfy.core.catalog.repository_url import FORGES, parse_repository_url
from pycomfy.core.lockfile.names import COMFY_CORE
from pycomfy.core.nodes.pack_resolution import Knowledge, fold_name
from pycomfy.core.requirements.model import Provenance, RequiredNode

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class StatedProvenance:
    """What all nodes of one type state. `packs` are distinct; `unknown_names` are ids and addresses without a known
    pack; `core` says that they are ComfyUI's own. `by_pack` are the versions of each pack, by its identity;
    `unknown_versions` those of unknown packs."""

    packs: tuple[Listing, ...] = ()
    versions: tuple[str, ...] = ()
    unknown_names: tuple[str, ...] = ()
    core: bool = False
    by_pack: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown_versions: tuple[str, ...] = ()

    def versions_of(self, pack: Listing) -> tuple[str, ...]:
        """Return the versions of `pack` that are stated, also where it is unknown, but has the name."""
        if pack.identity in self.by_pack or self.packs:
            return self.by_pack.get(pack.identity, ())
        own = {fold_name(pack.repository), fold_name(pack.registry_id or "")}
        return self.unknown_versions if {fold_name(name) for name in self.unknown_names} <= own else ()


def pack_references(nodes: Iterable[RequiredNode]) -> tuple[str, ...]:
    """Return the registry ids and addresses that the nodes name, each once."""
    names = (name for n in nodes if n.pack is not None for name in (n.pack.cnr_id, n.pack.aux_id) if name is not None)
    return tuple(dict.fromkeys(name for name in names if name != COMFY_CORE))


def read_provenance(nodes: Iterable[RequiredNode], knowledge: Knowledge) -> StatedProvenance:
    """Return what `nodes`, all of one type, state. An address is where the pack was cloned from, so it wins over an
    id."""
    packs: dict[str, Listing] = {}
    versions: dict[str, None] = {}
    by_pack: dict[str, tuple[str, ...]] = {}
    unknown: dict[str, None] = {}
    unknown_versions: dict[str, None] = {}
    core = False
    for node in nodes:
        stated = node.pack
        if stated is None:
            continue
        if stated.cnr_id == COMFY_CORE:
            core = True
            versions.update({stated.version: None} if stated.version is not None else {})
            continue
        pack = _find_pack(stated, knowledge)
        if pack is None:
            address = parse_repository_url(stated.aux_id) if stated.aux_id is not None else None
            names = (stated.cnr_id, address.url if address is not None else None)
            unknown.update(dict.fromkeys(name for name in names if name is not None))
            unknown_versions.update({stated.version: None} if stated.version is not None else {})
            continue
        packs[pack.identity] = pack
        if stated.version is not None:
            versions[stated.version] = None
            by_pack[pack.identity] = (*by_pack.get(pack.identity, ()), stated.version)
    if any(identity in CORE_IDENTITIES for identity in packs):
        packs, core = {i: p for i, p in packs.items() if not p.is_core}, True
    return StatedProvenance(
        tuple(packs.values()),
        sort_versions(versions),
        tuple(unknown),
        core,
        {identity: sort_versions(found) for identity, found in by_pack.items()},
        sort_versions(unknown_versions),
    )


def newer_core(nodes: Iterable[RequiredNode], pinned: str) -> str | None:
    """Return the newest version of ComfyUI that nodes were made with, if it is newer than the version `pinned`."""
    named = sort_versions(
        n.pack.version
        for n in nodes
        if n.pack is not None and n.pack.cnr_id == COMFY_CORE and n.pack.version is not None
    )
    try:
        return next((v for v in named if not COMMIT.fullmatch(v) and Version(v) > Version(pinned)), None)
    except ValueError:
        return None


def _find_pack(stated: Provenance, knowledge: Knowledge) -> Listing | None:
    if stated.aux_id is not None:
        known = knowledge.named.get(stated.aux_id)
        if known is not None:
            return known
        address = parse_repository_url(stated.aux_id)
        # An untrusted file must not make git use this machine's keys, or reach hosts in its network.
        public = tuple(f"https://{forge}/" for forge in FORGES)
        if address is not None and address.file is None and address.url.startswith(public):
            return Listing(address.identity, address.url)
    return knowledge.named.get(stated.cnr_id) if stated.cnr_id is not None else None


def newest(*versions: str | None) -> str | None:
    """Return the newest of the versions that are not None; a commit counts as newer than every number."""
    return next(iter(sort_versions(v for v in versions if v is not None)), None)


def sort_versions(versions: Iterable[str]) -> tuple[str, ...]:
    """Return versions newest first, after all commits: only their repository knows how these are ordered, so they are
    sorted as text."""

    def key(text: str) -> tuple[int, Version, str]:
        try:
            return (0, Version(text), text) if not COMMIT.fullmatch(text) else (1, Version("0"), text)
        except ValueError:
            return (-1, Version("0"), text)

    return tuple(sorted(dict.fromkeys(versions), key=key, reverse=True))
