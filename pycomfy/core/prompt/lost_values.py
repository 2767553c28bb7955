"""Find what a workflow has and its prompt does not: values, links, and primitives that have no effect.

What the editor's own rules drop is not lost: controls of seeds, buttons, previews, what is muted or bypassed, notes.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycomfy.core.prompt.flat_workflow import FlatWorkflow
from pycomfy.core.prompt.flatten import FlatNode
from pycomfy.core.prompt.link_resolution import Broken
from pycomfy.core.prompt.node_definitions import NodeSpec
from pycomfy.core.sentences import shorten
from pycomfy.errors import BadWorkflow, LostInput, PycomfyError

MAX_SHOWN = 60

MAX_LOST = 200_000
"""Values that are lost, before a workflow is refused for it."""

MAX_LISTED = 20
"""Values that are named, and acknowledged, one by one; of more, all those of a node at once."""


@dataclass(frozen=True, slots=True)
class LostValue:
    """A saved value, or a link, that has no place in a prompt. `place` is `NODE.NAME`, or for a value without a name
    `NODE[POSITION]`; `value` is None for a link; `why` says what is missing."""

    place: str
    node: str
    type: str
    value: object
    why: str

    def is_in(self, prompt: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether another prompt, as the editor made it, has an input of that name."""
        return self.place.removeprefix(f"{self.node}.") in prompt.get(self.node, {}).get("inputs", {})

    def __str__(self) -> str:
        shown = shorten(json.dumps(self.value, ensure_ascii=False), MAX_SHOWN)
        saved = "the link" if self.value is None else f"the saved value {shown}"
        return f"{shorten(self.place)} ({shorten(self.type)}): {saved} has no place in the prompt: {self.why}"


def refuse_lost(lost: Sequence[LostValue], accepted: Collection[str], where: str) -> tuple[PycomfyError, ...]:
    """Return a problem for each of what is lost and not in `accepted`, which has places (`12.crf`) and ids of nodes
    (`12`, for all of one). The last has the line for pycomfy.toml that acknowledges all."""
    refused = [one for one in lost if one.place not in accepted and one.node not in accepted]
    if not refused:
        return ()
    unused = list_unused(lost, accepted)
    places = [one.place if len(refused) <= MAX_LISTED else one.node for one in refused]
    entries = [entry for entry in accepted if entry not in unused] + places
    line = ", ".join(json.dumps(entry, ensure_ascii=False) for entry in dict.fromkeys(entries))
    fix = (
        "pin versions that have a place for it",
        f"acknowledge what is lost, below [accept] in pycomfy.toml: lost-values = [{line}]",
    )
    *others, last = describe_lost(refused)
    return (*(LostInput(one, where=where) for one in others), LostInput(last, where=where, fix=fix))


def describe_lost(lost: Sequence[LostValue]) -> list[str]:
    """Return a text for each of the first `MAX_LISTED`, and one for all others."""
    told = [str(one) for one in lost[:MAX_LISTED]]
    if len(lost) > MAX_LISTED:
        told.append(f"and {len(lost) - MAX_LISTED:,} more saved values and links have no place in the prompt")
    return told


def list_unused(lost: Sequence[LostValue], accepted: Collection[str]) -> tuple[str, ...]:
    """Return the entries of `accepted` that match nothing that is lost."""
    matching = {one.place for one in lost} | {one.node for one in lost}
    return tuple(entry for entry in accepted if entry not in matching)


def find_lost(flat_workflow: FlatWorkflow, emitted: Collection[str]) -> Iterator[LostValue]:
    """Yield what is lost of the nodes in `emitted` and of the hosts around them, in the order of the nodes. Nodes of
    unknown types are not asked: nobody knows their widgets."""
    for flat in flat_workflow.nodes:
        is_host = flat.inner is not None and flat.node.runs and not flat.silent
        if flat.id not in emitted and not is_host:
            continue
        if is_host or flat_workflow.details.spec(flat) is not None:
            yield from _values(flat_workflow, flat)
        yield from _links(flat_workflow, flat)


def _values(flat_workflow: FlatWorkflow, flat: FlatNode) -> Iterator[LostValue]:
    lacking = "subgraph" if flat.inner is not None else "node type"
    for name, value in flat_workflow.left_values(flat).items():
        why = f"the {lacking} has fewer widgets" if name.startswith("[") else f"the {lacking} has no such widget"
        yield _lost(flat, name, why, value)
    for promoted in flat_workflow.unknown_promotions(flat):
        why = f"node {flat.id} inside has no such widget"
        place = f"{promoted.id}.{promoted.widget}"
        yield LostValue(place, promoted.id, flat.node.type, promoted.value, why)


def _links(flat_workflow: FlatWorkflow, flat: FlatNode) -> Iterator[LostValue]:
    details = flat_workflow.details
    for name, link in details.unplaced(flat):
        why = "the node has no such input" if link is not None else "the table of links lacks it"
        yield _lost(flat, name, why)
    spec = details.spec(flat) if flat.inner is None else None
    defined = _static_inputs(spec)
    for index, slot in enumerate(details.slots(flat)):
        if slot.link is None:
            continue
        if defined is not None and slot.name not in defined:
            yield _lost(flat, slot.name, "the node type has no such input")
            continue
        try:
            source = flat_workflow.source(flat, index)
        except BadWorkflow:
            continue
        if isinstance(source, Broken):
            yield _lost(flat, slot.name, source.why)


def _lost(flat: FlatNode, name: str, why: str, value: object = None) -> LostValue:
    place = flat.id + (name if name.startswith("[") else f".{name}")
    return LostValue(place, flat.id, flat.node.type, value, why)


def _static_inputs(spec: NodeSpec | None) -> Collection[str] | None:
    """The names of all inputs that a node type of ComfyUI can have; None if a node can have more: nodes of packs often
    take what their definition does not list."""
    if spec is None or not spec.module.startswith(("nodes", "comfy_extras.", "comfy_api_nodes.")):
        return None
    if any(i.type.startswith("COMFY_") for i in spec.inputs):
        return None
    return {i.name for i in spec.inputs}
