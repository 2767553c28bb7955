"""Settle a merge node by node: a node for which a side was chosen becomes that side's in both, and in what they grew
from, so that neither changed it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, NamedTuple

from pycomfy.core.versions.snapshot import INTERFACE, PROMPT, WORKFLOW
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadArgument, BadInput, PycomfyError, suggest_retry

Side = Literal["ours", "theirs"]

Files = Mapping[str, bytes]
Document = dict[str, Any]


class Three(NamedTuple):
    """What two sides grew from, and the sides."""

    base: dict[str, bytes]
    ours: dict[str, bytes]
    theirs: dict[str, bytes]


def parse_sides(texts: Iterable[str]) -> dict[str, Side]:
    """Return the chosen sides by node, from texts such as `2=theirs`. Raises `BadArgument`."""
    sides: dict[str, Side] = {}
    for text in texts:
        node, _, side = text.rpartition("=")
        if not node or side not in ("ours", "theirs"):
            raise BadArgument(f'"{text}" is not a node and its side, as in 2=theirs', argument="node")
        sides[node] = "ours" if side == "ours" else "theirs"
    return sides


def settle_nodes(base: Files, ours: Files, theirs: Files, sides: Mapping[str, Side]) -> Three:
    """Return the three projects with each node of `sides`, by its id as in a diff, as its side has it: with its values,
    the links to it, and its inputs and outputs of the interface. A file that is not such JSON in all three stays.
    Raises `BadInput` where a node's links cannot be those of one side alone."""
    settled = Three(dict(base), dict(ours), dict(theirs))
    for path in (WORKFLOW, PROMPT, INTERFACE):
        before = [_read(files.get(path)) for files in (base, ours, theirs)]
        documents = [document for document in before if document is not None]
        if len(documents) != len(before):
            continue
        for node, side in sides.items():
            chosen = documents[1 if side == "ours" else 2]
            (_settle_interface if path == INTERFACE else _settle)(documents, node, chosen)
        if "nodes" in documents[0]:
            _count_alike(documents)
        for files, document in zip(settled, documents, strict=True):
            files[path] = _write(document)
    return settled


def _read(data: bytes | None) -> Document | None:
    """A copy of its own for each: one document's nodes are put into the others."""
    try:
        value = parse_json(data or b"", where="a side of the merge")
    except PycomfyError:
        return None
    return value if isinstance(value, dict) else None


def _write(document: Document) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _settle(documents: Sequence[Document], node: str, chosen: Document) -> None:
    if not all("nodes" in document for document in documents):
        _settle_prompt(documents, node, chosen)
        return
    subgraph, _, inner = node.rpartition("/")
    source = _find_graph(chosen, subgraph)
    for document in documents:
        graph = _find_graph(document, subgraph)
        if graph is not None and source is not None and graph is not source:
            _take_node(graph, source, inner)


def _is_node(key: object, node: str) -> bool:
    """In a prompt, the nodes of a subgraph are named `HOST:NODE`, once for each host."""
    subgraph, _, inner = node.rpartition("/")
    host, _, last = str(key).rpartition(":")
    return key == node or bool(subgraph and host and last == inner)


def _settle_interface(documents: Sequence[Document], node: str, chosen: Document) -> None:
    for part in ("parameters", "outputs"):
        taken = {one.get("name"): one for one in _dicts(chosen.get(part)) if _concerns(one, node)}
        for document in documents:
            own = _dicts(document.get(part))
            kept = [
                taken.get(one.get("name"), one) for one in own if not _concerns(one, node) or one.get("name") in taken
            ]
            names = {one.get("name") for one in kept}
            document[part] = [*kept, *(one for name, one in taken.items() if name not in names)]


def _concerns(one: Document, node: str) -> bool:
    return any(_is_node(target.get("node"), node) for target in (one, *_dicts(one.get("targets"))))


def _settle_prompt(documents: Sequence[Document], node: str, chosen: Document) -> None:
    for key in dict.fromkeys(key for document in documents for key in document):
        if not _is_node(key, node):
            continue
        for document in documents:
            if key in chosen:
                document[key] = chosen[key]
            else:
                document.pop(key, None)


def _find_graph(document: Document, subgraph: str) -> Document | None:
    if not subgraph:
        return document
    definitions = document.get("definitions")
    graphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    found = [graph for graph in _dicts(graphs) if str(graph.get("id")) == subgraph]
    return found[0] if found else None


def _take_node(graph: Document, source: Document, node: str) -> None:
    theirs = next((one for one in _dicts(source.get("nodes")) if str(one.get("id")) == node), None)
    nodes = graph.get("nodes")
    if not isinstance(nodes, list):
        return
    at = next((at for at, one in enumerate(nodes) if isinstance(one, dict) and str(one.get("id")) == node), None)
    if at is not None:
        nodes[at : at + 1] = [] if theirs is None else [deepcopy(theirs)]
    elif theirs is not None:
        nodes.append(deepcopy(theirs))
    _take_links(graph, source, node, gone=theirs is None)


def _take_links(graph: Document, source: Document, node: str, *, gone: bool) -> None:
    """Take the links that lead to the node from `source`; without the node there are none that come from it either."""
    links, known = graph.get("links"), source.get("links")
    if not isinstance(links, list) or not isinstance(known, list):
        return
    taken = [deepcopy(link) for link in known if _ends(link)[1] == node]
    kept = [link for link in links if _ends(link)[1] != node and not (gone and _ends(link)[0] == node)]
    if taken == [link for link in links if _ends(link)[1] == node] and len(kept) + len(taken) == len(links):
        return
    if {_link_id(link) for link in taken} & {_link_id(link) for link in kept}:
        what = f"node {node} cannot be taken from one side alone: both gave its links the same numbers as others"
        raise BadInput(what, fix=suggest_retry("merge", "takes one side for everything", ours=True))
    graph["links"] = sorted([*kept, *taken], key=_link_id)
    _name_links(graph)


def _name_links(graph: Document) -> None:
    """Say at each output which links begin there, and at each input that its link is there no more."""
    links = {_link_id(link): link for link in graph["links"]}
    for one in _dicts(graph.get("nodes")):
        for slot in _dicts(one.get("inputs")):
            if slot.get("link") is not None and slot["link"] not in links:
                slot["link"] = None
        for at, slot in enumerate(_dicts(one.get("outputs"))):
            begin = [id_ for id_, link in links.items() if _ends(link)[0] == str(one.get("id")) and _slot(link) == at]
            saved = slot.get("links")
            before: list[Any] = saved if isinstance(saved, list) else []
            after = [id_ for id_ in before if id_ in begin] + [id_ for id_ in begin if id_ not in before]
            if after != before:
                slot["links"] = after


def _count_alike(documents: Sequence[Document]) -> None:
    """New nodes and links are numbered from these counters: the highest of all is right for each."""
    for counter in ("last_node_id", "last_link_id"):
        numbers = [document[counter] for document in documents if isinstance(document.get(counter), int)]
        if numbers:
            for document in documents:
                document[counter] = max(numbers)


def _ends(link: object) -> tuple[str, str]:
    """The ids of the nodes that a link leads from and to, in both forms that ComfyUI saves."""
    if isinstance(link, dict):
        return str(link.get("origin_id")), str(link.get("target_id"))
    return (str(link[1]), str(link[3])) if isinstance(link, list) and len(link) > 4 else ("", "")


def _slot(link: object) -> object:
    return link.get("origin_slot") if isinstance(link, dict) else link[2] if isinstance(link, list) else None


def _link_id(link: object) -> int:
    value = link.get("id") if isinstance(link, dict) else link[0] if isinstance(link, list) and link else None
    return value if isinstance(value, int) else -1


def _dicts(value: object) -> list[Document]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
