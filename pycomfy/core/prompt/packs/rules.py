"""Define what a pack's browser code may change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pycomfy.core.workflow.model import Graph, Node

RawInput = tuple[str, object]
"""An input's name, and what a definition would say of it: `[type, options]`."""


Settle = Callable[[Mapping[str, Mapping[str, object]], Mapping[str, object]], Mapping[str, object]]
"""Returns values that depend on others of a node, from the options of its widgets and all values, by name."""


class SavedValue(NamedTuple):
    """A value from a file, with the widget that takes it: its node, its own name, type and options. `defined`: whether
    the definition lists the widget. `choices` are those of a combo."""

    node: Node
    name: str
    type: str
    options: Mapping[str, object]
    value: object
    defined: bool
    choices: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class WidgetRules:
    """What scripts do to the widgets of a node type, beside its definition.

    `added`: names and defaults of widgets that they put after the defined ones. `removed`: defined ones that they take
    away. `unsent`: those that they leave out of the prompt. `fixed`: values that are sent whatever was saved. `shown`:
    saved values that only the editor shows, such as a preview, by name; `*` stands for all that no widget takes.
    """

    added: Mapping[str, object] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    unsent: frozenset[str] = frozenset()
    fixed: Mapping[str, object] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PackRules:
    """The rules of one pack.

    `editor_only`: node types that only its scripts know; `virtual`: those that a server lists, and the editor never
    sends. `widget_types`: input types that are widgets, not sockets, with their defaults. `widgets`, by node type.
    `own_values`, by node type: the names and values of widgets that no definition lists, from the file.
    `dependent_inputs`: the inputs that a combo brings with each choice, from its options; empty for any other.
    `read_saved`: the node as today's script reads it, where older ones saved it otherwise. `read_value`: the value that
    a widget keeps of a saved one. `settle`, by node type: values that depend on others of the
    node. `add_links`: a graph with the links that the scripts make when a prompt is queued.
    """

    editor_only: frozenset[str] = frozenset()
    virtual: frozenset[str] = frozenset()
    widget_types: Mapping[str, object] = field(default_factory=dict)
    widgets: Mapping[str, WidgetRules] = field(default_factory=dict)
    own_values: Mapping[str, Callable[[Node], Mapping[str, object]]] = field(default_factory=dict)
    dependent_inputs: Callable[[Mapping[str, object]], Mapping[str, Sequence[RawInput]]] | None = None
    read_saved: Callable[[Node], Node] | None = None
    read_value: Callable[[SavedValue], object] | None = None
    settle: Mapping[str, Settle] = field(default_factory=dict)

    add_links: Callable[[Graph], Graph] | None = None
