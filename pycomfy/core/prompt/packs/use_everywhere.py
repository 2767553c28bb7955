"""Use Everywhere (cg-use-everywhere): links that nobody drew. The editor saves them as `extra.ue_links`."""

from collections.abc import Iterator
from dataclasses import replace

from pycomfy.core.loose_json import as_list, as_mapping
from pycomfy.core.prompt.packs.rules import PackRules
from pycomfy.core.workflow.litegraph import find_id, find_slot
from pycomfy.core.workflow.model import Graph, Link, Node


def add_links(graph: Graph) -> Graph:
    """Return the graph with the links that its `ue_links` make, to inputs that nothing else is linked to."""
    nodes = {node.id: node for node in graph.nodes}
    links: dict[str, Link] = {}
    for link in _saved(graph):
        node = nodes.get(link.target)
        if node is None or not 0 <= link.target_slot < len(node.inputs) or link.origin not in nodes:
            continue
        if graph.links.get(node.inputs[link.target_slot].link or "") is None:
            links[link.id] = link
            nodes[node.id] = _linked(node, link)
    return replace(graph, nodes=tuple(nodes.values()), links={**graph.links, **links}) if links else graph


def _saved(graph: Graph) -> Iterator[Link]:
    for number, item in enumerate(as_list(graph.extra.get("ue_links"))):
        link = as_mapping(item)
        origin, target = find_id(link.get("upstream")), find_id(link.get("downstream"))
        origin_slot, target_slot = find_slot(link.get("upstream_slot")), find_slot(link.get("downstream_slot"))
        if origin is not None and target is not None and origin_slot is not None and target_slot is not None:
            type_ = link.get("type")
            yield Link(
                f"ue:{number}", origin, origin_slot, target, target_slot, type_ if isinstance(type_, str) else "*"
            )


def _linked(node: Node, link: Link) -> Node:
    inputs = list(node.inputs)
    inputs[link.target_slot] = inputs[link.target_slot]._replace(link=link.id)
    return replace(node, inputs=tuple(inputs))


RULES = PackRules(add_links=add_links)
