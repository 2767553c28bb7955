"""Parse the UI format, versions 0.4 and 1: nodes, links in both forms, subgraph definitions, group nodes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pycomfy.core.loose_json import as_list, as_mapping, as_text
from pycomfy.core.sentences import shorten
from pycomfy.core.workflow.model import Format, Graph, Input, Link, Node, Output, Slot, Subgraph, Values, Workflow
from pycomfy.errors import BadWorkflow, PycomfyError, raise_all

FIX = "save the workflow again from ComfyUI"
NO_VALUES: Values = ()

MAX_NODES = 100_000
"""Nodes of a workflow, those in copies of its subgraphs included."""

MAX_VALUES = 2_000_000
"""Saved values of widgets."""

GROUP_PREFIXES = ("workflow>", "workflow/")
"""The prefixes of the types of legacy group nodes; the rest is the key in `extra.groupNodes`."""


def parse_ui(root: Mapping[str, object], where: str) -> Workflow:
    """Parse the root object. Raises `BadWorkflow` for every malformed node and definition at once."""
    problems: list[PycomfyError] = []
    graph = _parse_graph(root, where, problems)
    subgraphs: dict[str, Subgraph] = {}
    for definition in _definitions(root):
        subgraph = _parse_subgraph(definition, where, problems)
        if subgraph is not None:
            subgraphs.setdefault(subgraph.id, subgraph)
    raise_all(problems)
    _check_size((graph, *(subgraph.graph for subgraph in subgraphs.values())), where)
    extra = as_mapping(root.get("extra"))
    groups = {name: g for name, g in as_mapping(extra.get("groupNodes")).items() if isinstance(g, dict)}
    version = root.get("version")
    format_: Format = "ui-1" if isinstance(version, (int, float)) and version >= 1 else "ui-0.4"
    models = tuple(m for m in as_list(root.get("models")) if isinstance(m, dict))
    return Workflow(format_, where, graph, subgraphs, groups, models=models, extra=extra)


def _check_size(graphs: Sequence[Graph], where: str) -> None:
    """Raise `BadWorkflow` for more nodes or values than people make."""
    if sum(len(graph.nodes) for graph in graphs) > MAX_NODES:
        raise BadWorkflow(f"more than {MAX_NODES:,} nodes", where=where, fix="give a part of the workflow")
    if sum(len(node.values) for graph in graphs for node in graph.nodes) > MAX_VALUES:
        raise BadWorkflow(f"more than {MAX_VALUES:,} saved values", where=where, fix="give a part of the workflow")


def _definitions(root: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield all subgraph definitions, nested ones too. The depth of the JSON bounds this."""
    waiting = [root]
    while waiting:
        for definition in as_list(as_mapping(waiting.pop().get("definitions")).get("subgraphs")):
            if isinstance(definition, dict):
                yield definition
                waiting.append(definition)


def _parse_subgraph(value: Mapping[str, object], where: str, problems: list[PycomfyError]) -> Subgraph | None:
    id_, name = value.get("id"), value.get("name")
    if not isinstance(id_, str):
        problems.append(BadWorkflow("a subgraph definition has no `id`", where=where, fix=FIX))
        return None
    name = name if isinstance(name, str) else id_
    graph = _parse_graph(value, f"subgraph {shorten(name)} of {where}", problems)
    return Subgraph(id_, name, graph, _parse_slots(value.get("inputs")), _parse_slots(value.get("outputs")))


def _parse_slots(value: object) -> tuple[Slot, ...]:
    return tuple(
        Slot(as_text(s.get("name")), _type(s.get("type")), _ids(s.get("linkIds")))
        for s in as_list(value)
        if isinstance(s, dict)
    )


def _parse_graph(value: Mapping[str, object], where: str, problems: list[PycomfyError]) -> Graph:
    nodes: dict[str, Node] = {}
    last = _last_id(value)
    for item in as_list(value.get("nodes"))[: MAX_NODES + 1]:
        node = _parse_node(item, where, problems)
        if node is None:
            continue
        if node.id in nodes:  # as the editor does, which then finds no link to it
            node = replace(node, id=str(last + 1))
        last = max(last, find_slot(node.id) or 0)
        nodes[node.id] = node
    return Graph(tuple(nodes.values()), parse_links(value.get("links")), as_mapping(value.get("extra")))


def _last_id(graph: Mapping[str, object]) -> int:
    """The highest id that the editor had given to a node of a graph."""
    saved = find_slot(graph.get("last_node_id"))
    return saved if saved is not None else find_slot(as_mapping(graph.get("state")).get("lastNodeId")) or 0


def _parse_node(value: object, where: str, problems: list[PycomfyError]) -> Node | None:
    if not isinstance(value, dict):
        problems.append(BadWorkflow("a node is not an object", where=where, fix=FIX))
        return None
    id_, type_ = find_id(value.get("id")), value.get("type")
    if id_ is None or not isinstance(type_, str):
        missing = "`id`" if id_ is None else "`type`"
        problems.append(BadWorkflow(f"a node has no {missing}", where=f"node {id_ or '?'} of {where}", fix=FIX))
        return None
    return parse_node_body(value, id_, type_)


def parse_node_body(value: Mapping[str, object], id_: str, type_: str) -> Node:
    """Return a node with this id and type. Malformed parts of it are ignored."""
    mode, title, named = value.get("mode"), value.get("title"), value.get("widgets_values_named")
    return Node(
        id=id_,
        type=type_,
        title=as_text(title),
        mode=mode if type(mode) is int else 0,
        inputs=tuple(_parse_input(i) for i in as_list(value.get("inputs")) if isinstance(i, dict)),
        outputs=tuple(
            Output(as_text(o.get("name")), _type(o.get("type")), _ids(o.get("links")))
            for o in as_list(value.get("outputs"))
            if isinstance(o, dict)
        ),
        values=_parse_values(value.get("widgets_values")),
        named=named if isinstance(named, dict) else None,
        properties=as_mapping(value.get("properties")),
    )


def _parse_input(value: Mapping[str, object]) -> Input:
    widget = value.get("widget")
    widget_name = as_mapping(widget).get("name")
    return Input(
        as_text(value.get("name")),
        _type(value.get("type")),
        find_id(value.get("link")),
        widget_name if isinstance(widget_name, str) else None,
    )


def _parse_values(value: object) -> Values:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return value
    return NO_VALUES


def parse_links(value: object) -> dict[str, Link]:
    """Return links of either form, by id. A malformed one is left out: its target is then unlinked, as in the
    editor."""
    links: dict[str, Link] = {}
    for item in value.values() if isinstance(value, dict) else as_list(value):
        link = _parse_link(item)
        if link is not None:
            links[link.id] = link
    return links


def _parse_link(item: object) -> Link | None:
    if isinstance(item, dict):
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        parts = [item.get(k) for k in keys]
    elif isinstance(item, list) and len(item) >= 5:
        parts = [*item[:6], None][:6]
    else:
        return None
    id_, origin, target = find_id(parts[0]), find_id(parts[1]), find_id(parts[3])
    origin_slot, target_slot = find_slot(parts[2]), find_slot(parts[4])
    if id_ is None or origin is None or target is None or origin_slot is None:
        return None
    return Link(id_, origin, origin_slot, target, -1 if target_slot is None else target_slot, _type(parts[5]))


def find_id(value: object) -> str | None:
    """Return an id as a string; None for anything but strings and integers. Some tools write integers as floats."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None


def find_slot(value: object) -> int | None:
    """Return the number of a slot; None for anything but a whole number from 0, or its digits."""
    if type(value) is int:
        return value
    text = find_id(value)
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 10 else None


def _ids(value: object) -> tuple[str, ...]:
    return tuple(i for i in map(find_id, as_list(value)) if i is not None)


def _type(value: object) -> str:
    """The type of a slot. The editor saves -1 for events and 0 for any type; a list is the choices of a combo."""
    if isinstance(value, str):
        return value
    return "COMBO" if isinstance(value, list) else "*"
