"""Find the source of an input, through all nodes that exist only in the editor."""

from collections.abc import Callable
from typing import NamedTuple

from pycomfy.core.prompt.flatten import GETTERS, PASSING, PRIMITIVE, FlatNode, OpenGraph
from pycomfy.core.prompt.node_details import NodeDetails
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


class Broken(NamedTuple):
    """The end of a link that leads nowhere, though nobody muted or bypassed anything: `why`. A widget keeps its own
    value."""

    why: str


Source = Linked | Constant | Broken | None
"""None: nothing is linked, and a widget keeps its own value."""


class _Output(NamedTuple):
    """A step on the way: an output of a node, and the type of the final target."""

    flat: FlatNode
    slot: int
    type: str


class LinkResolver:
    """Finds sources; the result is cached for every output on the way."""

    def __init__(self, nodes: NodeDetails, promoted: Callable[[FlatNode, int], Constant | None]) -> None:
        self._details = nodes
        self._promoted = promoted
        self._found: dict[_Output, Source] = {}

    def find(self, flat: FlatNode, index: int) -> Source:
        """Return the source of input `index` of `flat`. Raises `BadWorkflow` if the links form a cycle."""
        passed: dict[_Output, None] = {}
        step = self._from_input(flat, index, self._details.slots(flat)[index].type)
        while isinstance(step, _Output):
            if step in self._found:
                step = self._found[step]
                break
            if step in passed:
                raise BadWorkflow(
                    "the links form a cycle",
                    where=f"input {self._details.slots(flat)[index].name} of node {flat.id}",
                    fix="remove one of the links in the editor",
                )
            passed[step] = None
            step = self._from_output(step)
        for output in passed:
            self._found[output] = step
        return step

    def _from_input(self, flat: FlatNode, index: int, type_: str) -> _Output | Source:
        """Follow the link of an input, up through the hosts while it comes from the subgraph's own input."""
        while True:
            link = flat.graph.links.get(self._details.slots(flat)[index].link or "")
            if link is None:
                return None
            if link.origin != SUBGRAPH_INPUT:
                return self._follow(flat.graph, link, type_)
            host = flat.graph.host
            if host is None or not 0 <= link.origin_slot < len(self._details.slots(host)):
                return Broken(f"the subgraph has no input {link.origin_slot}")
            if self._details.slots(host)[link.origin_slot].link is None:
                return self._promoted(host, link.origin_slot)
            flat, index = host, link.origin_slot
            type_ = self._details.slots(host)[index].type

    def _follow(self, graph: OpenGraph, link: Link, type_: str) -> _Output | Broken:
        origin = graph.nodes.get(link.origin)
        if origin is None or link.origin_slot < 0:
            return Broken(f"there is no node {graph.prefix}{link.origin}")
        return _Output(origin, link.origin_slot, type_)

    def _from_output(self, at: _Output) -> _Output | Source:
        flat, node = at.flat, at.flat.node
        if node.type == PRIMITIVE and self._details.is_virtual(flat):
            # It writes into the linked widgets, whatever its mode.
            values = node.listed_values
            return Constant(values[0], flat.id, "value") if values else None
        if node.mode == Mode.MUTED:
            return None
        if node.mode == Mode.BYPASSED:
            slots = self._details.slots(flat)
            index = bypass_slot(slots, at.slot, self._details.output_type(flat, at.slot), at.type)
            return None if index is None else self._from_input(flat, index, slots[index].type)
        if flat.inner is not None:
            return self._into_subgraph(flat, flat.inner, at)
        return self._through_virtual(at) if self._details.is_virtual(flat) else Linked(flat.id, at.slot)

    def _into_subgraph(self, host: FlatNode, inner: OpenGraph, at: _Output) -> _Output | Source:
        outputs = inner.subgraph.outputs if inner.subgraph is not None else ()
        links = outputs[at.slot].links if at.slot < len(outputs) else ()
        link = next((inner.links[i] for i in links if i in inner.links), None)
        if link is None:
            return None if at.slot < len(outputs) else Broken(f"the subgraph of node {host.id} has no output {at.slot}")
        if link.origin != SUBGRAPH_INPUT:
            return self._follow(inner, link, at.type)
        # The subgraph passes one of its inputs to this output.
        if not 0 <= link.origin_slot < len(self._details.slots(host)):
            return Broken(f"the subgraph of node {host.id} has no input {link.origin_slot}")
        return self._from_input(host, link.origin_slot, at.type)

    def _through_virtual(self, at: _Output) -> _Output | Source:
        flat = at.flat
        if flat.node.type in PASSING:
            return self._from_input(flat, 0, at.type) if self._details.slots(flat) else None
        if flat.node.type in GETTERS:
            # The input of the setter; its own mode does not matter.
            setter = self._details.setter(flat)
            if setter is None:
                return Broken(f"no node sets what node {flat.id} gets")
            return self._from_input(setter, 0, at.type) if self._details.slots(setter) else None
        return Broken(f"node {flat.id} exists in the editor only, and passes nothing on")
