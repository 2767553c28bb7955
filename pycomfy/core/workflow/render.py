"""Writing a workflow: what was read, in the format it was read from. Positions, colours and the like are not kept."""

from collections.abc import Mapping
from typing import Any

from pycomfy.core.workflow.model import SUBGRAPH_INPUT, SUBGRAPH_OUTPUT, Graph, Node, Slot, Subgraph, Workflow


def render_workflow(workflow: Workflow) -> dict[str, Any]:
    """The workflow as JSON; parsing it gives an equal `Workflow`. Subgraph definitions come all at the top."""
    if workflow.format == "api":
        return {
            n.id: {"class_type": n.type, "inputs": dict(n.inputs), **({"_meta": dict(n.meta)} if n.meta else {})}
            for n in workflow.api
        }
    extra: dict[str, Any] = dict(workflow.extra)
    root: dict[str, Any] = {
        "version": 1 if workflow.format == "ui-1" else 0.4,
        **_graph(workflow.graph),
        "extra": extra,
    }
    if workflow.models:
        root["models"] = [dict(m) for m in workflow.models]
    if workflow.subgraphs:
        root["definitions"] = {"subgraphs": [_subgraph(s) for s in workflow.subgraphs.values()]}
    return root


def _subgraph(subgraph: Subgraph) -> dict[str, Any]:
    return {
        "id": subgraph.id,
        "name": subgraph.name,
        "version": 1,
        "inputNode": {"id": int(SUBGRAPH_INPUT)},
        "outputNode": {"id": int(SUBGRAPH_OUTPUT)},
        "inputs": [_slot(s) for s in subgraph.inputs],
        "outputs": [_slot(s) for s in subgraph.outputs],
        **_graph(subgraph.graph),
    }


def _slot(slot: Slot) -> dict[str, Any]:
    return {"name": slot.name, "type": slot.type, "linkIds": list(slot.links)}


def _graph(graph: Graph) -> dict[str, Any]:
    return {
        "nodes": [_node(n) for n in graph.nodes],
        "links": [
            {
                "id": li.id,
                "origin_id": li.origin,
                "origin_slot": li.origin_slot,
                "target_id": li.target,
                "target_slot": li.target_slot,
                "type": li.type,
            }
            for li in graph.links.values()
        ],
    }


def _node(node: Node) -> dict[str, Any]:
    values: Any = dict(node.values) if isinstance(node.values, Mapping) else list(node.values)
    rendered: dict[str, Any] = {
        "id": node.id,
        "type": node.type,
        "mode": node.mode,
        "inputs": [
            {
                "name": i.name,
                "type": i.type,
                "link": i.link,
                **({"widget": {"name": i.widget}} if i.widget is not None else {}),
            }
            for i in node.inputs
        ],
        "outputs": [{"name": o.name, "type": o.type, "links": list(o.links)} for o in node.outputs],
        "widgets_values": values,
        "properties": dict(node.properties),
    }
    if node.title:
        rendered["title"] = node.title
    if node.named is not None:
        rendered["widgets_values_named"] = dict(node.named)
    return rendered
