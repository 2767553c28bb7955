"""Which output nodes of a graph can run apart, because nothing that leads to them is needed by another."""

import heapq
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .affinity import names_model
from .nodes import find_inputs, find_type, is_output
from .policy import link_source


@dataclass(frozen=True)
class Branch:
    """Output nodes, and with them all nodes that they need."""

    targets: tuple[str, ...]
    nodes: frozenset[str]


def find_branches(
    graph: Mapping[str, Any], node_types: Mapping[str, Any], *, share_models: bool = False
) -> list[Branch]:
    """The branches of a graph, in the order of their first output node. `node_types` is ComfyUI's `/object_info`.

    Two output nodes are in one branch if they need the same node, or if they could write files of one name: ComfyUI
    numbers those in the order in which they are made. With `share_models`, a node that only names model files and
    has no links may be in several branches: it gives each of them the same, as often as it runs.
    """
    outputs = [node for node, entry in graph.items() if is_output(entry, node_types)]
    sources = {node: _sources(graph, node) for node in find_needed(graph, outputs)}
    shared = {node for node in sources if share_models and _only_loads(graph[node])}.difference(outputs)
    groups = _Groups()
    for node, before in sources.items():
        for source in before:
            if source not in shared:
                groups.join(node, source)
    for node, other in _same_names(graph, outputs, node_types):
        groups.join(node, other)
    targets: dict[str, list[str]] = {}
    for node in outputs:
        targets.setdefault(groups.find(node), []).append(node)
    nodes: dict[str, set[str]] = {root: set() for root in targets}
    for node, before in sources.items():
        if node not in shared:
            nodes[groups.find(node)].update((node, *before))
    return [Branch(tuple(found), frozenset(nodes[root])) for root, found in targets.items()]


def join_branches(branches: Sequence[Branch], count: int) -> list[Branch]:
    """At most `count` of about the same number of nodes, the largest first."""
    parts = [(0, number) for number in range(min(count, len(branches)))]
    chosen: dict[int, list[Branch]] = {number: [] for _, number in parts}
    for branch in sorted(branches, key=lambda branch: len(branch.nodes), reverse=True):
        size, number = parts[0]
        chosen[number].append(branch)
        heapq.heapreplace(parts, (size + len(branch.nodes), number))
    joined = [
        Branch(tuple(t for b in some for t in b.targets), frozenset[str]().union(*(b.nodes for b in some)))
        for some in chosen.values()
    ]
    return sorted(joined, key=lambda branch: len(branch.nodes), reverse=True)


class _Groups:
    """Disjoint sets of nodes."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, node: str) -> str:
        """The node that stands for the set."""
        root = node
        while (above := self._parent.get(root, root)) != root:
            root = above
        while node != root:
            self._parent[node], node = root, self._parent.get(node, root)
        return root

    def join(self, one: str, other: str) -> None:
        self._parent[self.find(one)] = self.find(other)


def _sources(graph: Mapping[str, Any], node: str) -> list[str]:
    found = (link_source(value) for value in find_inputs(graph[node]).values())
    return [source for source in found if source is not None and source in graph]


def find_needed(graph: Mapping[str, Any], outputs: Sequence[str]) -> list[str]:
    """The output nodes and all before them: others are not run."""
    found, left = dict.fromkeys(outputs), list(outputs)
    while left:
        for source in _sources(graph, left.pop()):
            if source not in found:
                found[source] = None
                left.append(source)
    return list(found)


def _only_loads(entry: Any) -> bool:
    values = find_inputs(entry).values()
    return any(names_model(value) for value in values) and all(link_source(value) is None for value in values)


def _same_names(
    graph: Mapping[str, Any], outputs: Sequence[str], node_types: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Pairs of output nodes that have a free text in common, which may be the beginning of a file's name. One that
    comes by a link may be any, and so may one in which ComfyUI puts in the date or a size (`%year%`), or that goes
    through the output folder's own name (`../output/a`)."""
    texts = {node: list(_texts(graph[node], node_types)) for node in outputs}
    writers = [node for node in outputs if texts[node]]
    first: dict[str, str] = {}
    for node in writers:
        for text in texts[node]:
            yield node, writers[0] if text is None else first.setdefault(text, node)
    if any(None in texts[node] for node in writers):
        yield from ((node, writers[0]) for node in writers)


def _texts(entry: Any, node_types: Mapping[str, Any]) -> Iterator[str | None]:
    groups = find_type(entry, node_types).get("input")
    inputs = find_inputs(entry)
    for group in groups.values() if isinstance(groups, Mapping) else ():
        for name, spec in group.items() if isinstance(group, Mapping) else ():
            if not (isinstance(spec, list | tuple) and spec and spec[0] == "STRING") or name not in inputs:
                continue
            text = posixpath.normpath(value) if isinstance(value := inputs[name], str) else "%"
            yield None if "%" in text or text.startswith(("/", "..")) else text
