"""Define the workflow as ComfyUI's editor saves it, in one form for every format and version.

Ids are strings: files contain numbers and strings, prompts contain strings, and `3` and `"3"` are the same node.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, NamedTuple

Format = Literal["ui-0.4", "ui-1", "api"]

Values = tuple[object, ...] | Mapping[str, object]
"""The values of a node's widgets: by position, or by name for some custom nodes."""

SUBGRAPH_INPUT = "-10"
"""The node id that stands for a subgraph's own inputs, as the origin of a link inside it."""

SUBGRAPH_OUTPUT = "-20"
"""The node id that stands for a subgraph's own outputs, as the target of a link inside it."""


class Mode(IntEnum):
    """Whether a node runs. ComfyUI also saves 1 and 3 (LiteGraph's events), which run like `ALWAYS`."""

    ALWAYS = 0
    MUTED = 2
    BYPASSED = 4


class Input(NamedTuple):
    """An input slot. `widget` names the widget it replaces when linked; `link` is the link's id."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


class Output(NamedTuple):
    """An output slot; `links` are the ids of its links."""

    name: str
    type: str
    links: tuple[str, ...] = ()


class Link(NamedTuple):
    """A link from an output slot of one node to an input slot of another, both by id and index."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int
    type: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the editor. `values` are those of its widgets, `named` the same by name in newer files."""

    id: str
    type: str
    title: str = ""
    mode: int = Mode.ALWAYS
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    values: Values = ()
    named: Mapping[str, object] | None = None
    properties: Mapping[str, object] = field(default_factory=dict)

    @property
    def listed_values(self) -> tuple[object, ...]:
        """The values in the order of the file, also those that it has by name."""
        return self.values if isinstance(self.values, tuple) else tuple(self.values.values())

    @property
    def runs(self) -> bool:
        """Whether it is neither muted nor bypassed."""
        return self.mode not in (Mode.MUTED, Mode.BYPASSED)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes, and the links between them by id. `extra` is what editor and packs saved beside them."""

    nodes: tuple[Node, ...] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)

    def node(self, id_: str) -> Node | None:
        """Return the node with this id; None if there is none."""
        return next((n for n in self.nodes if n.id == id_), None)


class Slot(NamedTuple):
    """An input or output of a subgraph; `links` are links inside it, in the author's order."""

    name: str
    type: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph used as a node. Its hosts are the nodes of the type `id`."""

    id: str
    name: str
    graph: Graph
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiNode:
    """A node of a workflow saved in API format. A link is `[id, slot]` among the inputs."""

    id: str
    type: str
    inputs: Mapping[str, object]
    title: str = ""
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A parsed file. In API format the nodes are in `api` and `graph` is empty; otherwise it is the other way round."""

    format: Format
    where: str = ""
    graph: Graph = field(default_factory=Graph)
    subgraphs: Mapping[str, Subgraph] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Legacy group nodes by name, as saved: their widgets are identified only with `/object_info`."""
    api: tuple[ApiNode, ...] = ()
    models: tuple[Mapping[str, object], ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
