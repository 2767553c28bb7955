"""Find the source of an input, through all nodes that exist only in the editor."""

from collections.abc import Callable
from typing import NamedTuple

from pycomfy.core.prompt.flatten import GETTERS, PASSING, PRIMITIVE, Placed, Scope
from pycomfy.core.prompt.nodes import Nodes
from pycomfy.core.prompt.slots import bypass_slot
from pycomfy.core.workflow.model import SUBGRAPH_INPUT, Link, Mode
from pycomfy.errors import BadWorkflow


class Linked(NamedTuple):
    """Output `slot` of the node `id`."""

    id: str
    slot: int


class Constant(NamedTuple):
    """A value, and its owner: the widget `widget` of the primitive or host `id`."""

    value: object
    id: str
    widget: str


Source = Linked | Constant | None
"""None: nothing is linked, and a widget keeps its own value."""


class _Output(NamedTuple):
    """A step on the way: an output of a node, and the type of the final target."""

    placed: Placed
    slot: int
    type: str


class Sources:
    """Finds sources; the result is cached for every output on the way."""

    def __init__(self, nodes: Nodes, promoted: Callable[[Placed, int], Constant | None]) -> None:
        self._nodes = nodes
        self._promoted = promoted
        self._found: dict[_Output, Source] = {}

    def find(self, placed: Placed, index: int) -> Source:
        """Return the source of input `index` of `placed`. Raises `BadWorkflow` if the links form a cycle."""
        passed: dict[_Output, None] = {}
        step = self._from_input(placed, index, self._nodes.slots(placed)[index].type)
        while isinstance(step, _Output):
            if step in self._found:
                step = self._found[step]
                break
            if step in passed:
                raise BadWorkflow(
                    "the links form a cycle",
                    where=f"input {self._nodes.slots(placed)[index].name} of node {placed.id}",
                    fix="remove one of the links in the editor",
                )
            passed[step] = None
            step = self._from_output(step)
        for output in passed:
            self._found[output] = step
        return step

    def _from_input(self, placed: Placed, index: int, type_: str) -> _Output | Source:
        """Follow the link of an input, up through the hosts while it comes from the subgraph's own input."""
        while True:
            link = placed.scope.links.get(self._nodes.slots(placed)[index].link or "")
            if link is None:
                return None
            if link.origin != SUBGRAPH_INPUT:
                return self._follow(placed.scope, link, type_)
            host = placed.scope.host
            if host is None or not 0 <= link.origin_slot < len(self._nodes.slots(host)):
                return None
            if self._nodes.slots(host)[link.origin_slot].link is None:
                return self._promoted(host, link.origin_slot)
            placed, index = host, link.origin_slot
            type_ = self._nodes.slots(host)[index].type

    def _follow(self, scope: Scope, link: Link, type_: str) -> _Output | None:
        origin = scope.nodes.get(link.origin)
        return None if origin is None or link.origin_slot < 0 else _Output(origin, link.origin_slot, type_)

    def _from_output(self, at: _Output) -> _Output | Source:
        placed, node = at.placed, at.placed.node
        if node.type == PRIMITIVE and self._nodes.is_virtual(placed):
            # It writes into the linked widgets, whatever its mode.
            values = node.values if isinstance(node.values, tuple) else tuple(node.values.values())
            return Constant(values[0], placed.id, "value") if values else None
        if node.mode == Mode.MUTED:
            return None
        if node.mode == Mode.BYPASSED:
            slots = self._nodes.slots(placed)
            index = bypass_slot(slots, at.slot, self._nodes.output_type(placed, at.slot), at.type)
            return None if index is None else self._from_input(placed, index, slots[index].type)
        if placed.inner is not None:
            return self._into_subgraph(placed, placed.inner, at)
        return self._through_virtual(at) if self._nodes.is_virtual(placed) else Linked(placed.id, at.slot)

    def _into_subgraph(self, host: Placed, inner: Scope, at: _Output) -> _Output | Source:
        outputs = inner.subgraph.outputs if inner.subgraph is not None else ()
        links = outputs[at.slot].links if at.slot < len(outputs) else ()
        link = next((inner.links[i] for i in links if i in inner.links), None)
        if link is None:
            return None
        if link.origin != SUBGRAPH_INPUT:
            return self._follow(inner, link, at.type)
        # The subgraph passes one of its inputs to this output.
        if not 0 <= link.origin_slot < len(self._nodes.slots(host)):
            return None
        return self._from_input(host, link.origin_slot, at.type)

    def _through_virtual(self, at: _Output) -> _Output | Source:
        placed = at.placed
        if placed.node.type in PASSING:
            return self._from_input(placed, 0, at.type) if self._nodes.slots(placed) else None
        if placed.node.type in GETTERS:
            # The input of the setter; its own mode does not matter.
            setter = self._nodes.setter(placed)
            return self._from_input(setter, 0, at.type) if setter is not None and self._nodes.slots(setter) else None
        return None
