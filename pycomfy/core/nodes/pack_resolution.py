"""Define the input and the result of resolving node types to packs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pycomfy.core.catalog.match import Claims
from pycomfy.core.catalog.model import Listing
from pycomfy.core.requirements.model import RequiredNode

Reason = Literal[
    "workflow",
    "preference",
    "configured",
    "lock",
    "preemption",
    "only-pack",
    "registry",
    "pattern",
    "shape",
    "together",
]


@dataclass(frozen=True, slots=True)
class UnresolvedType:
    """A node type that neither ComfyUI nor a pack of pycomfy.toml provides, and the nodes that use it."""

    type: str
    nodes: tuple[RequiredNode, ...]


@dataclass(frozen=True, slots=True)
class NamedPack:
    """A node pack of pycomfy.toml that makes node types while it runs, so that its source does not tell which it has.

    `pack` is what the catalog lists, or an entry without types for what it does not list. `mentions` are those of the
    unresolved types that its source has as text.
    """

    name: str
    pack: Listing
    mentions: frozenset[str] = frozenset()

    def is_called(self, name: str) -> bool:
        """Whether `name`, a registry id or the name of a repository, is this pack's."""
        own = (self.name, self.pack.registry_id or "", self.pack.repository)
        return fold_name(name) in {fold_name(one) for one in own}


def fold_name(name: str) -> str:
    """Return a name so that those that the registry takes for equal become equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that the resolver may use.

    `claims` and `registry` are by type; `named` maps the registry ids and addresses in the workflow, as written there,
    to packs; unknown ones are missing from it. `core` is the version of ComfyUI that the workflow was made with, where
    that is newer than the pinned one. `makers` are the packs of pycomfy.toml that may have any type; `replaced` are
    former types of ComfyUI's, each with the one of the pinned ComfyUI that took its place.
    """

    claims: Mapping[str, Claims] = field(default_factory=dict)
    named: Mapping[str, Listing] = field(default_factory=dict)
    registry: Mapping[str, tuple[Listing, ...]] = field(default_factory=dict)
    core: str | None = None
    makers: tuple[NamedPack, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PackPreferences:
    """Identities of packs that settle a question: those that the user prefers, best first, and those of the previous
    lock."""

    prefer: tuple[str, ...] = ()
    locked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """The pack that a type is taken from, by which rule, and the evidence. `versions` are those that the workflow names
    of it, `unused` those that it names of a pack that is unknown. `unlisted`: nothing lists the type, so only running
    the pack proves it."""

    type: str
    pack: Listing
    reason: Reason
    evidence: str
    versions: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    unlisted: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pack that may provide a type. `also_provides` are other types of this workflow that it has too. One that is
    `already_selected` is taken for another type anyway; a second pack with the type in question would clash with it.
    It is `listed` if a list or the workflow names it for the type, and not only a pattern of names. `settles` are all
    types in question that choosing it settles. `versions` are those that the workflow names of it, `unused` those that
    it names of a pack that is unknown. `fitting` of the `saved` inputs and outputs are in its definitions, where these
    were read; `problems` contradict the saved nodes. `made` is the date of its first commit with the type."""

    pack: Listing
    also_provides: tuple[str, ...] = ()
    already_selected: bool = False
    listed: bool = True
    settles: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    fitting: int = 0
    saved: int = 0
    problems: tuple[str, ...] = ()
    made: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderQuestion:
    """A type that no rule settles: `why`, and the candidates. `unknown_names` are the packs that the workflow names for
    it and nothing knows. It is `unlisted` if no list and no pattern of names knows the type. `others` are questions
    that the same pack settles. `makers` are packs of pycomfy.toml that may have it, by their names there, where nothing
    says which one has. `core` is not None where the type is ComfyUI's own according to the workflow or the catalog, so
    that another ComfyUI has it: the version that the workflow names, or "". `replaced_by` is the type of the pinned
    ComfyUI that took its place."""

    type: str
    nodes: tuple[RequiredNode, ...]
    why: str
    candidates: tuple[Candidate, ...] = ()
    core: str | None = None
    makers: tuple[str, ...] = ()
    unknown_names: tuple[str, ...] = ()
    others: tuple["ProviderQuestion", ...] = ()
    unlisted: bool = False
    replaced_by: str | None = None

    @property
    def types(self) -> tuple[str, ...]:
        """All types that it is about."""
        return (self.type, *(question.type for question in self.others))

    @property
    def all_nodes(self) -> tuple[RequiredNode, ...]:
        """The nodes of all types that it is about."""
        return (*self.nodes, *(node for question in self.others for node in question.nodes))


@dataclass(frozen=True, slots=True)
class PackResolution:
    """The result: a choice or a question for every type."""

    choices: tuple[ProviderChoice, ...]
    questions: tuple[ProviderQuestion, ...]
