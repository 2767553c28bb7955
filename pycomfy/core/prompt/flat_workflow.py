"""Make a workflow flat: every node in one list, with the values and links of its inputs as in a prompt."""

from collections.abc import Iterator, Mapping

from pycomfy.core.prompt import packs
from pycomfy.core.prompt.flatten import PRIMITIVE, FlatNode, flatten, walk
from pycomfy.core.prompt.frontend_nodes import add_computed_values, is_shown
from pycomfy.core.prompt.group_nodes import GroupNodes
from pycomfy.core.prompt.link_resolution import Broken, Constant, Linked, LinkResolver, Source
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.node_details import NodeDetails
from pycomfy.core.prompt.promoted_widgets import PromotedWidgets
from pycomfy.core.prompt.rounding import rounded
from pycomfy.core.prompt.widgets import Widget
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import BadWorkflow


class FlatWorkflow:
    """A workflow with a server's definitions, made flat: all its `nodes`, hosts before their inner nodes, with the
    values and links of their inputs. `hosts` are the ids of the hosts."""

    def __init__(self, workflow: Workflow, definitions: Definitions) -> None:
        self.details = NodeDetails(definitions)
        self._promoted = PromotedWidgets(self.details)
        self._links = LinkResolver(self.details, self._promoted.value)
        self.nodes = tuple(walk(flatten(workflow, GroupNodes(workflow.groups, definitions).open)))
        self.hosts = frozenset(p.id for p in self.nodes if p.inner is not None)
        for flat in self.nodes:
            if flat.inner is not None:
                self._promoted.open(flat)

    def inputs(self, flat: FlatNode) -> dict[str, object]:
        """Return the values and links of a node in the prompt. Raises `BadWorkflow` for links in a cycle."""
        inputs = self.widget_values(flat)
        for index, slot in enumerate(self.details.slots(flat)):
            if slot.link is None:
                continue
            source = self.source(flat, index)
            if isinstance(source, Linked):
                inputs[slot.name] = [source.id, source.slot]
            elif isinstance(source, Constant):
                inputs[slot.name] = _wrap(source.value, self.details.widget(flat, slot.name))
        add_computed_values(flat.node.type, self.details.restored(flat).widgets, inputs)
        return inputs

    def source(self, flat: FlatNode, index: int) -> Source:
        """Return the source of an input. A primitive writes into a widget, which rounds numbers; a socket gets nothing.
        Raises `BadWorkflow` for links in a cycle."""
        source = self._links.find(flat, index)
        if not isinstance(source, Constant) or source.id in self.hosts:
            return source
        slot = self.details.slots(flat)[index]
        if slot.widget is None and self.details.spec(flat) is not None:
            return Broken(f"the value of primitive {source.id} needs a widget")
        widget = self.details.widget(flat, slot.name)
        return source._replace(value=rounded(source.value, widget))

    def left_values(self, flat: FlatNode) -> Mapping[str, object]:
        """Return the saved values of a node that no widget takes, by name, or by position: `[5]`. Those of a host are
        for the widgets that it promotes."""
        if flat.inner is not None:
            return self._promoted.left(flat)
        type_ = flat.node.type
        shown = packs.widgets(type_).shown
        left = self.details.restored(flat).left if "*" not in shown else {}
        return {n: value for n, value in left.items() if n not in shown and not is_shown(type_, n, value)}

    def unknown_promotions(self, flat: FlatNode) -> Iterator[Constant]:
        """Yield the values that a host sets on widgets that this node lacks."""
        if flat.inner is not None and flat.inner.subgraph is not None:
            names = {slot.name for slot in flat.inner.subgraph.inputs}
        else:
            names = {w.name for w in self.details.restored(flat).widgets}
        yield from (c for name, c in self._promoted.set_on(flat).items() if name not in names)

    def widget_values(self, flat: FlatNode) -> dict[str, object]:
        """Return the node's own values, as if nothing were linked to it."""
        restored = self.details.restored(flat)
        values = {**restored.values, **{n: c.value for n, c in self._promoted.set_on(flat).items()}}
        return {
            w.name: _wrap(values[w.name], w)
            for w in restored.widgets
            if w.sent and not (w.name in restored.unset and values[w.name] is None)
        }

    def owners(self, flat: FlatNode) -> dict[str, tuple[str, str]]:
        """Return the widget that sets each unlinked input of a node, as (node id, widget): its own, or that of a
        primitive or a host."""
        owners = {w.name: (flat.id, w.name) for w in self.details.restored(flat).widgets if w.sent}
        owners |= {n: (c.id, c.widget) for n, c in self._promoted.set_on(flat).items()}
        for index, slot in enumerate(self.details.slots(flat)):
            source = self.source(flat, index) if slot.link is not None else None
            if isinstance(source, Constant):
                owners[slot.name] = (source.id, source.widget)
            elif isinstance(source, Linked):
                owners.pop(slot.name, None)
        return owners

    def constants(self, flat: FlatNode) -> dict[str, object]:
        """Return the values of a node without links; also for muted nodes, and graphs with cycles."""
        inputs = self.widget_values(flat)
        for name, source in self.linked_sources(flat).items():
            if isinstance(source, Constant):
                inputs[name] = source.value
            else:
                inputs.pop(name, None)
        return inputs

    def linked_sources(self, flat: FlatNode) -> dict[str, Linked | Constant]:
        """Return the source of each linked input of a node, without links in a cycle."""
        found: dict[str, Linked | Constant] = {}
        for index, slot in enumerate(self.details.slots(flat)):
            if slot.link is None:
                continue
            try:
                source = self.source(flat, index)
            except BadWorkflow:
                continue
            if isinstance(source, Linked | Constant):
                found[slot.name] = source
        return found

    def displayed_values(self, flat: FlatNode) -> dict[str, object]:
        """Return every widget of a node with the value that the editor shows, also linked widgets and controls."""
        if flat.inner is not None and flat.inner.subgraph is not None:
            promoted = ((s.name, self._promoted.value(flat, i)) for i, s in enumerate(flat.inner.subgraph.inputs))
            return {name: constant.value for name, constant in promoted if constant is not None}
        if flat.node.type == PRIMITIVE and isinstance(flat.node.values, tuple):
            return dict(zip(("value",), flat.node.values, strict=False))
        restored = self.details.restored(flat)
        values = {w.name: restored.values[w.name] for w in restored.widgets}
        values |= {n: c.value for n, c in self._promoted.set_on(flat).items()}
        # A primitive writes into the widget itself, a host only into the prompt.
        linked = ((n, c) for n, c in self.linked_sources(flat).items() if isinstance(c, Constant) and n in values)
        return values | {n: c.value for n, c in linked if c.id not in self.hosts}

    def title(self, flat: FlatNode) -> str:
        """Return the node's own title, else that of its type."""
        spec = self.details.spec(flat)
        return flat.node.title or (spec.title if spec is not None else flat.node.type)


def _wrap(value: object, widget: Widget | None) -> object:
    """Wrap a list in `__value__`, or the server would take it for a link."""
    if widget is not None and widget.kind == "CURVE" and value is not None:
        return {"__type__": "CURVE", "__value__": value}
    return {"__value__": value} if isinstance(value, (list, tuple)) else value
