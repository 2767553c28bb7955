"""What is asked of choosing, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pycomfy.core.catalog.match import Claims
from pycomfy.core.catalog.model import Listing
from pycomfy.core.requirements.model import RequiredNode

Reason = Literal["workflow", "preference", "lock", "preemption", "only-pack", "registry", "pattern"]


@dataclass(frozen=True, slots=True)
class UnresolvedType:
    """A node type that neither ComfyUI nor a pack of pycomfy.toml has, and the nodes that use it."""

    type: str
    nodes: tuple[RequiredNode, ...]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that choosing may look at.

    `claims` and `registry` are by type; `named` are the packs that the registry ids and addresses of the workflow stand
    for, as it writes them; a name that nobody knows is not in it. `core` is the ComfyUI that the workflow was made
    with, where that is newer than the pinned one.
    """

    claims: Mapping[str, Claims] = field(default_factory=dict)
    named: Mapping[str, Listing] = field(default_factory=dict)
    registry: Mapping[str, tuple[Listing, ...]] = field(default_factory=dict)
    core: str | None = None


@dataclass(frozen=True, slots=True)
class PackPreferences:
    """Identities of packs that settle a question: those the user prefers, best first, and those of the lock so far."""

    prefer: tuple[str, ...] = ()
    locked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """The pack a type is taken from, by which rule, and what speaks for it. `versions` are those the workflow names."""

    type: str
    pack: Listing
    reason: Reason
    evidence: str
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pack that may provide a type. `also_provides` are other types of this workflow that it has too. One that is
    `already_selected` is taken for another type anyway; a second pack with the type in question would clash with it."""

    pack: Listing
    also_provides: tuple[str, ...] = ()
    already_selected: bool = False


@dataclass(frozen=True, slots=True)
class ProviderQuestion:
    """A type that no rule settles: `why` not, and who may be meant. `core` is not None where it is ComfyUI's own, says
    the workflow or the catalog, so another ComfyUI would have it: the version that the workflow names, or ""."""

    type: str
    nodes: tuple[RequiredNode, ...]
    why: str
    candidates: tuple[Candidate, ...] = ()
    core: str | None = None


@dataclass(frozen=True, slots=True)
class PackResolution:
    choices: tuple[ProviderChoice, ...]
    questions: tuple[ProviderQuestion, ...]
