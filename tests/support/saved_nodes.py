"""Nodes as the editor saves them, with no more than a test needs."""

from collections.abc import Iterable


def saved_node(id_: int, type_: str) -> dict[str, object]:
    """A node with an output, as all have that do something: without sockets it would be taken for a note."""
    return {"id": id_, "type": type_, "mode": 0, "outputs": [{"name": "out", "type": "*", "links": []}]}


def saved_nodes(types: Iterable[str]) -> list[dict[str, object]]:
    """Nodes of these types, with ids from 1 on."""
    return [saved_node(id_, type_) for id_, type_ in enumerate(types, start=1)]
