"""What nodes returned before, for those that ComfyUI answers from its cache.

A cached node names the files of its first run. Meanwhile another job may have written other bytes there, or they are
gone; the bytes that were kept then are right.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ..graph.nodes import find_inputs
from ..graph.policy import link_source
from .model import Output

MOST = 1000
"""Outputs that are remembered, of all nodes together; those of the node that was longest unused go first. ComfyUI's own
cache has the nodes of its last prompt."""


def sign_nodes(graph: Mapping[str, Any]) -> dict[str, str]:
    """A name for what each node computes: its type and inputs, and those of all nodes before it. Nodes in a circle,
    which ComfyUI does not run, have none."""
    signed: dict[str, str] = {}
    before = {node: {source for source in _sources(entry) if source in graph} for node, entry in graph.items()}
    after: dict[str, list[str]] = {}
    for node, sources in before.items():
        for source in sources:
            after.setdefault(source, []).append(node)
    ready = [node for node, sources in before.items() if not sources]
    while ready:
        node = ready.pop()
        signed[node] = _sign(graph[node], signed)
        for follower in after.get(node, ()):
            before[follower].discard(node)
            if not before[follower]:
                ready.append(follower)
    return signed


def _sources(entry: Any) -> list[str]:
    return [source for value in find_inputs(entry).values() if (source := link_source(value)) is not None]


def _sign(entry: Any, signed: Mapping[str, str]) -> str:
    inputs = {
        name: ["link", signed.get(source, source), value[1]] if (source := link_source(value)) is not None else value
        for name, value in find_inputs(entry).items()
    }
    kind = entry.get("class_type") if isinstance(entry, Mapping) else None
    return hashlib.sha256(json.dumps([kind, inputs], sort_keys=True, default=str).encode()).hexdigest()


class Remembered:
    """The outputs of nodes by the ComfyUI that ran them and their signature."""

    def __init__(self) -> None:
        self._outputs: OrderedDict[tuple[str, str], tuple[Output, ...]] = OrderedDict()
        self._number = 0

    def note(self, instance: str, signature: str, outputs: tuple[Output, ...]) -> None:
        """The last node is remembered however many outputs it has."""
        self._number += len(outputs) - len(self._outputs.pop((instance, signature), ()))
        self._outputs[instance, signature] = outputs
        while self._number > MOST and len(self._outputs) > 1:
            self._number -= len(self._outputs.popitem(last=False)[1])

    def find(self, instance: str, signature: str) -> tuple[Output, ...]:
        """What the node returned when it ran; nothing if that is not known."""
        found = self._outputs.get((instance, signature), ())
        if found:
            self._outputs.move_to_end((instance, signature))
        return found
