"""Convert a workflow, which people edit, to a prompt, which servers run: the frontend's `graphToPrompt` in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from pycomfy.core.printable import sanitise
from pycomfy.core.prompt.flatten import PRIMITIVE, Placed, flatten, walk
from pycomfy.core.prompt.frontend_nodes import add_computed_values
from pycomfy.core.prompt.group_nodes import Groups
from pycomfy.core.prompt.link_resolution import Constant, Linked, Source, Sources
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.nodes import Nodes
from pycomfy.core.prompt.promoted_widgets import Promoted
from pycomfy.core.prompt.rounding import rounded
from pycomfy.core.prompt.widgets import Widget
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import BadWorkflow, PycomfyError, UnknownNode, raise_all


class PromptNode(TypedDict):
    """A node of a prompt."""

    class_type: str
    inputs: dict[str, object]
    _meta: NotRequired[dict[str, object]]


Prompt = dict[str, PromptNode]
"""The body of `POST /prompt`: nodes by id; an input is a value, or a link `[id, slot]`."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A prompt, and the problems that prevent it from running. Nodes of unknown types have links, but no values."""

    prompt: Prompt
    problems: tuple[PycomfyError, ...] = ()


def convert(workflow: Workflow, object_info: Mapping[str, object] | Definitions) -> Prompt:
    """Return the prompt of `workflow` for a server with these definitions.

    Raises `UnknownNode` for node types that the server lacks, all at once, and `BadWorkflow` for links in a cycle.
    """
    conversion = try_convert(workflow, object_info)
    raise_all(conversion.problems)
    return conversion.prompt


def try_convert(workflow: Workflow, object_info: Mapping[str, object] | Definitions) -> Conversion:
    """As `convert`, but return the problems with the prompt. Raises `BadWorkflow` if the subgraphs cannot be opened.

    The rules are those of frontend 1.58, with one exception: output nodes inside a muted or bypassed subgraph at any
    depth are left out, or the server would run them. (Other nodes run only if an output needs them.)
    """
    definitions = object_info if isinstance(object_info, Definitions) else Definitions(object_info)
    if workflow.format == "api":
        return _from_api(workflow, definitions)
    reading = Reading(workflow, definitions)
    prompt: Prompt = {}
    problems: list[PycomfyError] = []
    for placed in reading.placed:
        if reading.nodes.is_virtual(placed) or not placed.node.runs or _is_silenced(placed, reading.nodes):
            continue
        if reading.nodes.spec(placed) is None:
            problems.append(_unknown(placed, workflow.where))
        try:
            inputs = reading.inputs(placed)
        except BadWorkflow as e:
            problems.append(e)
            continue
        prompt[placed.id] = {
            "class_type": placed.node.type,
            "inputs": inputs,
            "_meta": {"title": reading.title(placed)},
        }
    _drop_dangling(prompt)
    return Conversion(prompt, tuple(problems))


class Reading:
    """A workflow read with a server's definitions: every node, hosts before their inner nodes, and the values and links
    of its inputs."""

    def __init__(self, workflow: Workflow, definitions: Definitions) -> None:
        self.nodes = Nodes(definitions)
        self._promoted = Promoted(self.nodes)
        self._sources = Sources(self.nodes, self._promoted.value)
        self.placed = tuple(walk(flatten(workflow, Groups(workflow.groups, definitions).open)))
        self.hosts = frozenset(p.id for p in self.placed if p.inner is not None)
        for placed in self.placed:
            if placed.inner is not None:
                self._promoted.open(placed)

    def inputs(self, placed: Placed) -> dict[str, object]:
        """Return the values and links of a node in the prompt. Raises `BadWorkflow` for links in a cycle."""
        inputs = self.widget_values(placed)
        for index, slot in enumerate(self.nodes.slots(placed)):
            if slot.link is None:
                continue
            source = self._source(placed, index)
            if isinstance(source, Linked):
                inputs[slot.name] = [source.id, source.slot]
            elif isinstance(source, Constant):
                inputs[slot.name] = _wrap(source.value, self.nodes.widget(placed, slot.name))
        add_computed_values(placed.node.type, self.nodes.restored(placed).widgets, inputs)
        return inputs

    def _source(self, placed: Placed, index: int) -> Source:
        """The source of an input; the number of a primitive is rounded as the widget does."""
        source = self._sources.find(placed, index)
        if not isinstance(source, Constant) or source.id in self.hosts:
            return source
        widget = self.nodes.widget(placed, self.nodes.slots(placed)[index].name)
        return source._replace(value=rounded(source.value, widget))

    def widget_values(self, placed: Placed) -> dict[str, object]:
        """Return the node's own values, as if nothing were linked to it."""
        restored = self.nodes.restored(placed)
        values = {**restored.values, **{n: c.value for n, c in self._promoted.set_on(placed).items()}}
        return {
            w.name: _wrap(values[w.name], w)
            for w in restored.widgets
            # A combo without choices has no value.
            if w.sent and not (w.kind == "COMBO" and not w.choices and values[w.name] is None)
        }

    def owners(self, placed: Placed) -> dict[str, tuple[str, str]]:
        """Return the widget that sets each unlinked input of a node, as (node id, widget): its own, or that of a
        primitive or a host."""
        owners = {w.name: (placed.id, w.name) for w in self.nodes.restored(placed).widgets if w.sent}
        owners |= {n: (c.id, c.widget) for n, c in self._promoted.set_on(placed).items()}
        for index, slot in enumerate(self.nodes.slots(placed)):
            source = self._sources.find(placed, index) if slot.link is not None else None
            if isinstance(source, Constant):
                owners[slot.name] = (source.id, source.widget)
            elif isinstance(source, Linked):
                owners.pop(slot.name, None)
        return owners

    def constants(self, placed: Placed) -> dict[str, object]:
        """Return the values of a node without links; also for muted nodes, and graphs with cycles."""
        inputs = self.widget_values(placed)
        for name, source in self.linked_sources(placed).items():
            if isinstance(source, Constant):
                inputs[name] = source.value
            else:
                inputs.pop(name, None)
        return inputs

    def linked_sources(self, placed: Placed) -> dict[str, Linked | Constant]:
        """Return the source of each linked input of a node, without links in a cycle."""
        found: dict[str, Linked | Constant] = {}
        for index, slot in enumerate(self.nodes.slots(placed)):
            if slot.link is None:
                continue
            try:
                source = self._source(placed, index)
            except BadWorkflow:
                continue
            if source is not None:
                found[slot.name] = source
        return found

    def displayed_values(self, placed: Placed) -> dict[str, object]:
        """Return every widget of a node with the value that the editor shows, also linked widgets and controls."""
        if placed.inner is not None and placed.inner.subgraph is not None:
            promoted = ((s.name, self._promoted.value(placed, i)) for i, s in enumerate(placed.inner.subgraph.inputs))
            return {name: constant.value for name, constant in promoted if constant is not None}
        if placed.node.type == PRIMITIVE and isinstance(placed.node.values, tuple):
            return dict(zip(("value",), placed.node.values, strict=False))
        restored = self.nodes.restored(placed)
        values = {w.name: restored.values[w.name] for w in restored.widgets}
        values |= {n: c.value for n, c in self._promoted.set_on(placed).items()}
        # A primitive writes into the widget itself, a host only into the prompt.
        linked = ((n, c) for n, c in self.linked_sources(placed).items() if isinstance(c, Constant) and n in values)
        return values | {n: c.value for n, c in linked if c.id not in self.hosts}

    def title(self, placed: Placed) -> str:
        """Return the node's own title, else that of its type."""
        spec = self.nodes.spec(placed)
        return placed.node.title or (spec.title if spec is not None else placed.node.type)


def _is_silenced(placed: Placed, nodes: Nodes) -> bool:
    """Whether a node is off because of a host. The frontend opens no graph directly below a muted or bypassed host at
    the top, but every graph further down."""
    if not placed.silent:
        return False
    host = placed.scope.host
    while host is not None:
        if not host.node.runs and host.scope.host is None:
            return True
        host = host.scope.host
    spec = nodes.spec(placed)
    return spec is None or spec.output_node


def _wrap(value: object, widget: Widget | None) -> object:
    """Wrap a list in `__value__`, or the server would take it for a link."""
    if widget is not None and widget.kind == "CURVE" and value is not None:
        return {"__type__": "CURVE", "__value__": value}
    return {"__value__": value} if isinstance(value, (list, tuple)) else value


def _drop_dangling(prompt: Prompt) -> None:
    """Remove links to nodes that are not in the prompt, such as muted ones."""
    for node in prompt.values():
        inputs = node["inputs"]
        for name in [n for n, v in inputs.items() if is_link(v) and v[0] not in prompt]:  # type: ignore[index]
            del inputs[name]


def _from_api(workflow: Workflow, definitions: Definitions) -> Conversion:
    """Convert a workflow in API format, which already is a prompt; only the problems are to be found."""
    prompt: Prompt = {}
    problems: list[PycomfyError] = []
    for node in workflow.api:
        prompt[node.id] = {"class_type": node.type, "inputs": dict(node.inputs)}
        if node.meta:
            prompt[node.id]["_meta"] = dict(node.meta)
        if definitions.find(node.type) is None:
            problems.append(
                _unknown_type(
                    node.type,
                    f'node {sanitise(node.id)} "{sanitise(node.title or node.type)}" of {workflow.where}',
                    {},
                )
            )
    return Conversion(prompt, tuple(problems))


def _unknown(placed: Placed, where: str) -> UnknownNode:
    node = placed.node
    return _unknown_type(
        node.type,
        f'node {sanitise(placed.id)} "{sanitise(node.title or node.type)}" of {where}',
        node.properties,
    )


def _unknown_type(type_: str, where: str, properties: Mapping[str, object]) -> UnknownNode:
    pack, version = properties.get("cnr_id") or properties.get("aux_id"), properties.get("ver")
    saved = f" (the workflow was saved with {sanitise(version)})" if isinstance(version, str) and version else ""
    if pack == "comfy-core":
        fix = f"use a ComfyUI that has this node{saved}"
    elif isinstance(pack, str):
        fix = f"install the node pack {sanitise(pack)}{saved}"
    else:
        fix = f"install the node pack that provides {sanitise(type_)}"
    return UnknownNode(f'unknown node type "{sanitise(type_)}": the server does not have it', where=where, fix=fix)
