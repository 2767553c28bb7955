"""Read the nodes of a workflow or a prompt in the same form, to compare them: by id, with values apart from links."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pycomfy.core.prompt.links import is_link
from pycomfy.core.workflow.model import Graph, Mode, Node, Workflow


@dataclass(frozen=True)
class NodeView:
    """`values` are by input; `links` are by input too: the output that feeds it, as `NODE[SLOT]`."""

    id: str
    type: str
    title: str
    values: Mapping[str, object] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def read_prompt_nodes(prompt: Mapping[str, object]) -> dict[str, NodeView]:
    """Return the nodes of an API prompt, by id. Other things in it are left out: a prompt may come from elsewhere."""
    nodes = {}
    for id_, node in prompt.items():
        if isinstance(node, Mapping):
            inputs, meta = node.get("inputs"), node.get("_meta")
            title = meta.get("title") if isinstance(meta, Mapping) else None
            nodes[id_] = _view(id_, str(node.get("class_type")), str(title or ""), inputs)
    return nodes


def read_workflow_nodes(workflow: Workflow) -> dict[str, NodeView]:
    """Return the nodes of a workflow as it was saved, by id; in a subgraph that is `SUBGRAPH/NODE`. Widgets without a
    name are numbered."""
    if workflow.format == "api":
        return {n.id: _view(n.id, n.type, n.title, n.inputs) for n in workflow.api}
    nodes = _graph(workflow.graph, "")
    for id_, subgraph in workflow.subgraphs.items():
        nodes |= _graph(subgraph.graph, f"{id_}/")
    return nodes


def read_modes(workflow: Workflow) -> dict[str, str]:
    """Return "muted" or "bypassed" by the id of each node at the top level that does not run."""
    words = {Mode.MUTED: "muted", Mode.BYPASSED: "bypassed"}
    return {n.id: words[Mode(n.mode)] for n in workflow.graph.nodes if not n.runs}


def _view(id_: str, type_: str, title: str, inputs: object) -> NodeView:
    values: dict[str, object] = {}
    links: dict[str, str] = {}
    for name, value in inputs.items() if isinstance(inputs, Mapping) else ():
        if is_link(value):
            links[name] = f"{value[0]}[{value[1]}]"
        elif isinstance(value, Mapping) and "__value__" in value:
            values[name] = value["__value__"]
        else:
            values[name] = value
    return NodeView(id_, type_, title, values, links)


def _graph(graph: Graph, prefix: str) -> dict[str, NodeView]:
    nodes = {}
    for node in graph.nodes:
        links = {}
        for slot in node.inputs:
            link = graph.links.get(slot.link) if slot.link is not None else None
            if link is not None:
                links[slot.name] = f"{prefix}{link.origin}[{link.origin_slot}]"
        id_ = prefix + node.id
        nodes[id_] = NodeView(id_, node.type, node.title, _values(node), links)
    return nodes


def _values(node: Node) -> dict[str, object]:
    if node.named is not None:
        return dict(node.named)
    if isinstance(node.values, Mapping):
        return dict(node.values)
    return {f"widget {number}": value for number, value in enumerate(node.values, start=1)}
