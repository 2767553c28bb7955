"""Leave out of a workflow the nodes that exist in the editor only, according to its user."""

from collections.abc import Collection
from dataclasses import replace

from pycomfy.core.workflow.model import Graph, Workflow

NOTE = "Note"


def make_notes(workflow: Workflow, types: Collection[str]) -> Workflow:
    """Return the workflow with notes in place of the nodes of these types: they are not sent, and pass nothing on. A
    workflow in API format, which no editor's node gets into, stays as it is."""
    if not types:
        return workflow

    def change(graph: Graph) -> Graph:
        return replace(graph, nodes=tuple(replace(n, type=NOTE) if n.type in types else n for n in graph.nodes))

    subgraphs = {id_: replace(one, graph=change(one.graph)) for id_, one in workflow.subgraphs.items()}
    return replace(workflow, graph=change(workflow.graph), subgraphs=subgraphs)
