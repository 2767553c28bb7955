"""From the workflow a person edits to the prompt a server runs: the frontend's `graphToPrompt`, in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from pycomfy.core.prompt.flatten import PRIMITIVE, Placed, flatten, walk
from pycomfy.core.prompt.frontend_nodes import settle
from pycomfy.core.prompt.group_nodes import Groups
from pycomfy.core.prompt.link_resolution import Constant, Linked, Source, Sources
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.nodes import Nodes
from pycomfy.core.prompt.promoted_widgets import Promoted
from pycomfy.core.prompt.rounding import rounded
from pycomfy.core.prompt.widgets import Widget
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadWorkflow, PycomfyError, UnknownNode, raise_all


class PromptNode(TypedDict):
    class_type: str
    inputs: dict[str, object]
    _meta: NotRequired[dict[str, object]]


Prompt = dict[str, PromptNode]
"""What `POST /prompt` takes: nodes by id; an input is a value, or a link `[id, slot]`."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A prompt, and what stands in its way. Nodes of unknown types are in it with their links, without values."""

    prompt: Prompt
    problems: tuple[PycomfyError, ...] = ()


def convert(workflow: Workflow, object_info: Mapping[str, object] | Definitions) -> Prompt:
    """The prompt for `workflow` on a server with these definitions.

    Raises `UnknownNode` for node types that the server lacks (all at once), `BadWorkflow` for links in a circle.
    """
    conversion = try_convert(workflow, object_info)
    raise_all(conversion.problems)
    return conversion.prompt


def try_convert(workflow: Workflow, object_info: Mapping[str, object] | Definitions) -> Conversion:
    """As `convert`, but tells the problems beside the prompt. Raises `BadWorkflow` if the subgraphs cannot be opened.

    The rules are those of frontend 1.58, with one exception: output nodes inside a muted or bypassed subgraph are left
    out however deep it lies, or the server would run them. (Nodes that are no outputs run only when one needs them.)
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
    """A workflow opened against a server's definitions: every node, hosts first, and what goes into its inputs."""

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
        """The values and links that a node sends. Raises `BadWorkflow` for links in a circle."""
        inputs = self.widget_values(placed)
        for index, slot in enumerate(self.nodes.slots(placed)):
            if slot.link is None:
                continue
            source = self._source(placed, index)
            if isinstance(source, Linked):
                inputs[slot.name] = [source.id, source.slot]
            elif isinstance(source, Constant):
                inputs[slot.name] = _wrap(source.value, self.nodes.widget(placed, slot.name))
        settle(placed.node.type, self.nodes.restored(placed).widgets, inputs)
        return inputs

    def _source(self, placed: Placed, index: int) -> Source:
        """Where an input's value comes from; a primitive's number is what the widget makes of it."""
        source = self._sources.find(placed, index)
        if not isinstance(source, Constant) or source.id in self.hosts:
            return source
        widget = self.nodes.widget(placed, self.nodes.slots(placed)[index].name)
        return source._replace(value=rounded(source.value, widget))

    def widget_values(self, placed: Placed) -> dict[str, object]:
        """The node's own values, as if nothing were linked to it."""
        restored = self.nodes.restored(placed)
        values = {**restored.values, **{n: c.value for n, c in self._promoted.set_on(placed).items()}}
        return {
            w.name: _wrap(values[w.name], w)
            for w in restored.widgets
            # A combo without choices has no value to send.
            if w.sent and not (w.kind == "COMBO" and not w.choices and values[w.name] is None)
        }

    def owners(self, placed: Placed) -> dict[str, tuple[str, str]]:
        """Whose widget sets each unlinked input of a node, as (node id, widget): its own, a primitive's or a host's."""
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
        """The values that a node sends, without links; of muted nodes too, and of graphs with circles."""
        inputs = self.widget_values(placed)
        for name, source in self.received(placed).items():
            if isinstance(source, Constant):
                inputs[name] = source.value
            else:
                inputs.pop(name, None)
        return inputs

    def received(self, placed: Placed) -> dict[str, Linked | Constant]:
        """What comes into a node over its links; nothing over one that goes round in a circle."""
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

    def shown(self, placed: Placed) -> dict[str, object]:
        """Every widget of a node with the value that stands in the editor: of linked ones and of controls too."""
        if placed.inner is not None and placed.inner.subgraph is not None:
            promoted = ((s.name, self._promoted.value(placed, i)) for i, s in enumerate(placed.inner.subgraph.inputs))
            return {name: constant.value for name, constant in promoted if constant is not None}
        if placed.node.type == PRIMITIVE and isinstance(placed.node.values, tuple):
            return dict(zip(("value",), placed.node.values, strict=False))
        restored = self.nodes.restored(placed)
        values = {w.name: restored.values[w.name] for w in restored.widgets}
        values |= {n: c.value for n, c in self._promoted.set_on(placed).items()}
        # A primitive writes into the widget itself, a host only into what is sent.
        received = ((n, c) for n, c in self.received(placed).items() if isinstance(c, Constant) and n in values)
        return values | {n: c.value for n, c in received if c.id not in self.hosts}

    def title(self, placed: Placed) -> str:
        spec = self.nodes.spec(placed)
        return placed.node.title or (spec.title if spec is not None else placed.node.type)


def _is_silenced(placed: Placed, nodes: Nodes) -> bool:
    """Beneath a muted or bypassed host the frontend opens no graph at the top, and every graph further down."""
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
    """A list would be taken for a link: the server unwraps `__value__`."""
    if widget is not None and widget.kind == "CURVE" and value is not None:
        return {"__type__": "CURVE", "__value__": value}
    return {"__value__": value} if isinstance(value, (list, tuple)) else value


def _drop_dangling(prompt: Prompt) -> None:
    """Remove links to nodes that are not in the prompt: muted, or unknown to it."""
    for node in prompt.values():
        inputs = node["inputs"]
        for name in [n for n, v in inputs.items() if is_link(v) and v[0] not in prompt]:  # type: ignore[index]
            del inputs[name]


def _from_api(workflow: Workflow, definitions: Definitions) -> Conversion:
    """Already a prompt: the problems are what is left to tell."""
    prompt: Prompt = {}
    problems: list[PycomfyError] = []
    for node in workflow.api:
        prompt[node.id] = {"class_type": node.type, "inputs": dict(node.inputs)}
        if node.meta:
            prompt[node.id]["_meta"] = dict(node.meta)
        if definitions.find(node.type) is None:
            problems.append(
                _unknown_type(
                    node.type, f'node {shown(node.id)} "{shown(node.title or node.type)}" of {workflow.where}', {}
                )
            )
    return Conversion(prompt, tuple(problems))


def _unknown(placed: Placed, where: str) -> UnknownNode:
    node = placed.node
    return _unknown_type(
        node.type, f'node {shown(placed.id)} "{shown(node.title or node.type)}" of {where}', node.properties
    )


def _unknown_type(type_: str, where: str, properties: Mapping[str, object]) -> UnknownNode:
    pack, version = properties.get("cnr_id") or properties.get("aux_id"), properties.get("ver")
    saved = f" (saved with {shown(version)})" if isinstance(version, str) and version else ""
    if pack == "comfy-core":
        fix = f"use a ComfyUI that has this node{saved}"
    elif isinstance(pack, str):
        fix = f"install the node pack {shown(pack)}{saved}"
    else:
        fix = f"install the node pack that has {shown(type_)}"
    return UnknownNode(f'the server has no node type "{shown(type_)}"', where=where, fix=fix)
