"""Which graphs are taken: a stranger with a key must not get a node that reads files, because a pack has one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .files import names_foreign_file
from .nodes import is_output
from .values import looks_like_link

Policy = Literal["fixed", "nodes", "any"]

MAX_NODES = 10_000
MAX_PROBLEMS = 100

_OWN_ALONE = "this image runs its own workflow alone (PYCOMFY_GRAPHS)"


@dataclass(frozen=True)
class NodeProblem:
    """`reason` is a word for programs; `field` the input, empty where the node as a whole is wrong."""

    node: str
    field: str
    reason: str
    message: str


class EditorFormat(Exception):
    """The graph is a workflow as the editor saves it."""


def find_problems(
    graph: Mapping[str, Any],
    *,
    policy: Policy,
    own: Mapping[str, Any] | None,
    node_types: Mapping[str, Any] | None,
) -> list[NodeProblem]:
    """What is wrong with a graph, at most `MAX_PROBLEMS`. `own` is the image's graph, `node_types` ComfyUI's
    `/object_info`, or None while they are unknown. Raises `EditorFormat`."""
    if isinstance(graph.get("nodes"), list) and ("links" in graph or "version" in graph or "last_node_id" in graph):
        raise EditorFormat
    problems: list[NodeProblem] = []
    for problem in _problems(graph, policy, own, node_types):
        problems.append(problem)
        if len(problems) >= MAX_PROBLEMS:
            break
    return problems


def _problems(
    graph: Mapping[str, Any], policy: Policy, own: Mapping[str, Any] | None, node_types: Mapping[str, Any] | None
) -> Iterator[NodeProblem]:
    if not graph:
        yield NodeProblem("", "", "empty", "the graph has no nodes")
    if len(graph) > MAX_NODES:
        yield NodeProblem("", "", "too_many_nodes", f"the graph has more than {MAX_NODES} nodes")
        return
    well_formed = True
    for node, entry in graph.items():
        for problem in _shape(graph, node, entry, node_types):
            well_formed = False
            yield problem
    if not well_formed:
        return
    if policy == "fixed":
        yield from _differences(graph, own)
    elif policy == "nodes":
        allowed = {entry["class_type"] for entry in (own or {}).values()}
        for node, entry in graph.items():
            if entry["class_type"] not in allowed:
                text = f"{entry['class_type']} is not among the node types of this workflow"
                yield NodeProblem(node, "", "node_type_not_allowed", text)
    if policy != "any":
        yield from _foreign_files(graph, own or {}, node_types)
    if node_types is not None and not any(is_output(entry, node_types) for entry in graph.values()):
        yield NodeProblem("", "", "no_outputs", "the graph has no node that returns anything")


def _shape(
    graph: Mapping[str, Any], node: str, entry: Any, node_types: Mapping[str, Any] | None
) -> Iterator[NodeProblem]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_type"), str):
        yield NodeProblem(node, "", "malformed", "a node is an object with class_type and inputs")
        return
    inputs = entry.get("inputs", {})
    if not isinstance(inputs, Mapping):
        yield NodeProblem(node, "inputs", "malformed", "the inputs must be an object")
        return
    kind = entry["class_type"]
    if node_types is not None and kind not in node_types:
        yield NodeProblem(node, "", "unknown_node_type", f"there is no node type {kind}")
    for name, value in inputs.items():
        target = link_source(value)
        if target is not None and target not in graph:
            yield NodeProblem(node, name, "dangling_link", f"the link leads to node {target}, which is not there")
        if target is None and looks_like_link(value):
            yield NodeProblem(node, name, "malformed", "a link is a list of a node and the number of its output")
    for name in _required(kind, node_types):
        if name not in inputs:
            yield NodeProblem(node, name, "missing_input", f"the required input {name} is not there")


def link_source(value: Any) -> str | None:
    """The node that a link `[node, slot]` comes from; None if the value is no link."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int:
        return value[0]
    return None


def _required(kind: str, node_types: Mapping[str, Any] | None) -> list[str]:
    described = (node_types or {}).get(kind)
    inputs = described.get("input") if isinstance(described, Mapping) else None
    required = inputs.get("required") if isinstance(inputs, Mapping) else None
    return [str(name) for name in required] if isinstance(required, Mapping) else []


def _foreign_files(
    graph: Mapping[str, Any], own: Mapping[str, Any], node_types: Mapping[str, Any] | None
) -> Iterator[NodeProblem]:
    """Values that name files which are neither the workflow's own, nor offered, nor brought along."""
    known = [(e.get("class_type"), e.get("inputs", {})) for e in own.values() if isinstance(e, Mapping)]
    for node, entry in graph.items():
        kind = entry["class_type"]
        for name, value in entry.get("inputs", {}).items():
            if link_source(value) is not None or any(k == kind and inputs.get(name) == value for k, inputs in known):
                continue
            if names_foreign_file(value, describe_input(kind, name, node_types)):
                text = f"{name} of node {node} takes one of its choices, or a file that you bring"
                yield NodeProblem(node, name, "file_not_allowed", text)


def describe_input(kind: str, name: str, node_types: Mapping[str, Any] | None) -> Any:
    """The input of a node type as `/object_info` has it; None where that is unknown."""
    described = (node_types or {}).get(kind)
    inputs = described.get("input") if isinstance(described, Mapping) else None
    for group in inputs.values() if isinstance(inputs, Mapping) else ():
        if isinstance(group, Mapping) and name in group:
            return group[name]
    return None


def _differences(graph: Mapping[str, Any], own: Mapping[str, Any] | None) -> Iterator[NodeProblem]:
    """The same nodes, types, inputs and links as the image's; values may be others."""
    if own is None:
        yield NodeProblem("", "", "no_workflow", "this image has no graph of its own")
        return
    for node in own:
        if node not in graph:
            yield NodeProblem(
                node,
                "",
                "node_missing",
                f"{_OWN_ALONE}: node {node} is missing",
            )
    for node, entry in graph.items():
        mine = own.get(node)
        if mine is None:
            yield NodeProblem(
                node,
                "",
                "node_not_allowed",
                f"{_OWN_ALONE}: it has no node {node}",
            )
        elif entry["class_type"] != mine.get("class_type"):
            text = f"{_OWN_ALONE}: node {node} is a {mine.get('class_type')} there"
            yield NodeProblem(node, "", "node_type_not_allowed", text)
        else:
            yield from _input_differences(node, entry.get("inputs", {}), mine.get("inputs", {}))


def _input_differences(node: str, inputs: Mapping[str, Any], mine: Mapping[str, Any]) -> Iterator[NodeProblem]:
    for name in inputs:
        if name not in mine:
            yield NodeProblem(node, name, "input_not_allowed", f"node {node} has no input {name} in this workflow")
    for name, value in mine.items():
        source = link_source(value)
        given = inputs.get(name)
        if name not in inputs:
            yield NodeProblem(node, name, "missing_input", f"the input {name} of node {node} is missing")
        elif (source is not None or link_source(given) is not None) and given != value:
            yield NodeProblem(node, name, "link_not_allowed", f"the link of node {node}, {name}, is another here")
