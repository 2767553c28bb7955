"""Describe a search for node packs: the types to find packs for, and what restricts the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pycomfy.adapters.sources.adapter import PinnedSource
from pycomfy.core.catalog.repository_url import parse_repository_url
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.schema import Pack
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.nodes.pack_resolution import UnresolvedType
from pycomfy.core.requirements.providers import describe_locations
from pycomfy.core.sources.source_spec import SourceSpec


@dataclass(frozen=True)
class PackSearch:
    """What to look for: `types` without a pack, for the workflow in the file `workflow`.

    `prefer` are the user's preferences as they were written, `configured` the packs that pycomfy.toml names, `makers`
    those of them that make node types while they run, each with the types that its source has as text; `sources` are
    theirs, `provided` the types that the workflow takes from each, `base` the folder of relative paths; `comfyui`
    whether pycomfy.toml has a `[comfyui]`, `newer_core` the ComfyUI that the workflow was made with if it is newer than
    the pinned one, `before` the configured date of the lock, if there is one, `edited` when the file was made at the
    latest, if that is known, `replaced` former types of ComfyUI's, each with the new one. Packs of the earlier lock
    keep their commits, except those that `policy` renews.
    """

    types: Sequence[UnresolvedType]
    workflow: str
    prefer: Sequence[str] = ()
    configured: Mapping[str, SourceSpec] = field(default_factory=dict)
    makers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sources: Mapping[str, PinnedSource] = field(default_factory=dict)
    provided: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base: Path = Path()
    comfyui: bool = False
    newer_core: str | None = None
    before: datetime | None = None
    edited: datetime | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)
    policy: UpdatePolicy = field(default_factory=UpdatePolicy)

    @property
    def apart(self) -> frozenset[str]:
        """The types whose nodes nothing can be linked to: those that nobody defines exist in the editor only."""
        return frozenset(one.type for one in self.types if all(node.apart for node in one.nodes))

    def locked_packs(self) -> dict[str, Pack]:
        """The packs of the earlier lock that come from git, by identity."""
        packs = self.policy.lock.packs if self.policy.lock is not None else ()
        found = {find_identity(p.source.repository.url): p for p in packs if p.source.repository is not None}
        return {identity: pack for identity, pack in found.items() if identity is not None}

    def locked_commit(self, identity: str) -> str | None:
        """The commit that a pack keeps; None if it is new, or is to be renewed."""
        pack = self.locked_packs().get(identity)
        if pack is None or pack.source.repository is None or self.policy.renews(pack.name):
            return None
        return pack.source.repository.commit

    def describe_nodes(self, type_: str) -> str:
        """Which nodes of the workflow have the type."""
        return describe_locations(list(next(one.nodes for one in self.types if one.type == type_)), self.workflow)


def find_identity(url: str) -> str | None:
    """Return the identity of a repository on the web; None for a local one, which no catalog lists."""
    location = None if parse_git_url(url).local else parse_repository_url(url)
    return location.identity if location is not None else None
