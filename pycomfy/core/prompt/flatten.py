"""Open the subgraphs of a workflow: one flat list of nodes, each with the graph that contains it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pycomfy.core.prompt import packs
from pycomfy.core.workflow.litegraph import MAX_NODES
from pycomfy.core.workflow.model import Graph, Link, Node, Subgraph, Workflow
from pycomfy.errors import BadWorkflow

MAX_NESTING = 64

_LINKS_PER_NODE = 10
"""More links than that per node count as nodes: they are copied, too."""

REROUTE, PRIMITIVE = "Reroute", "PrimitiveNode"

VIRTUAL = frozenset((REROUTE, PRIMITIVE, "Note", "MarkdownNote")) | packs.VIRTUAL
"""Nodes that exist only in the editor."""

SETTERS = frozenset(("SetNode", "easy setNode"))
GETTERS = frozenset(("GetNode", "easy getNode"))
PASSING = frozenset((REROUTE, "Reroute (rgthree)", *SETTERS))
"""Editor nodes that pass their first input to their output."""

VIRTUAL_FROM_PACKS = SETTERS | GETTERS | packs.EDITOR_ONLY
"""Nodes that packs add to the editor by JavaScript alone. If a server lists one of these names, that is another
node."""


@dataclass(eq=False, slots=True)
class OpenGraph:
    """A graph that was opened: the workflow itself, or a subgraph at one of its hosts. `saved` is the graph in the
    file; `prefix` begins the ids of its `nodes` in a prompt."""

    saved: Graph
    prefix: str = ""
    host: "FlatNode | None" = None
    subgraph: Subgraph | None = None
    nodes: dict[str, "FlatNode"] = field(default_factory=dict)

    @property
    def links(self) -> Mapping[str, Link]:
        """The links of the graph, by id."""
        return self.saved.links


@dataclass(eq=False, slots=True)
class FlatNode:
    """A node of the flat list: `node` as the file has it, with its id in a prompt and the graph that contains it.
    `inner` is the opened subgraph if the node is a host; it is `silent` if a host above it is off."""

    node: Node
    id: str
    graph: OpenGraph
    silent: bool = False
    inner: OpenGraph | None = None


def flatten(workflow: Workflow, open_group: Callable[[Node], tuple[Node, Subgraph] | None]) -> OpenGraph:
    """Open every subgraph, and every group node that `open_group` converts to one; return the outermost graph.

    Raises `BadWorkflow` if a subgraph contains itself, or for more than `MAX_NODES` nodes or `MAX_NESTING` levels.
    """
    root = OpenGraph(packs.add_links(workflow.graph))
    linked: dict[int, Graph] = {}
    waiting: list[tuple[OpenGraph, tuple[str, ...], bool]] = [(root, (), False)]
    count = len(root.saved.nodes)
    while waiting:
        graph, above, silent = waiting.pop()
        for node in graph.saved.nodes:
            subgraph = workflow.subgraphs.get(node.type)
            opened = open_group(node) if subgraph is None and workflow.groups else None
            if opened is not None:
                node, subgraph = opened
            flat = FlatNode(node, graph.prefix + node.id, graph, silent)
            graph.nodes[node.id] = flat
            if subgraph is None:
                continue
            if subgraph.id in above:
                raise BadWorkflow(
                    f'subgraph "{subgraph.name}" contains itself',
                    where=f"node {flat.id} of {workflow.where}",
                    fix="remove that node in the editor",
                )
            count += max(len(subgraph.graph.nodes), len(subgraph.graph.links) // _LINKS_PER_NODE)
            if count > MAX_NODES or len(above) >= MAX_NESTING:
                raise BadWorkflow(
                    f"its subgraphs have more than {MAX_NODES:,} nodes or {MAX_NESTING} levels",
                    where=workflow.where,
                    fix="use fewer copies of nested subgraphs",
                )
            if id(subgraph) not in linked:
                linked[id(subgraph)] = packs.add_links(subgraph.graph)
            flat.inner = OpenGraph(linked[id(subgraph)], flat.id + ":", flat, subgraph)
            waiting.append((flat.inner, (*above, subgraph.id), silent or not node.runs))
    return root


def walk(graph: OpenGraph) -> Iterator[FlatNode]:
    """Yield every node, each host before its inner nodes, in the order of the file."""
    stack = [iter(graph.nodes.values())]
    while stack:
        flat = next(stack[-1], None)
        if flat is None:
            stack.pop()
            continue
        yield flat
        if flat.inner is not None:
            stack.append(iter(flat.inner.nodes.values()))
