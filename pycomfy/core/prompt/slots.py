"""Make the input slots of a node: those of its definition, with the links in the file."""

from collections.abc import Iterable, Sequence

from pycomfy.core.loose_json import as_mapping
from pycomfy.core.prompt.node_definitions import AUTOGROW, DYNAMIC_COMBO, MATCH_TYPE, InputSpec, NodeSpec
from pycomfy.core.prompt.widgets import Widget
from pycomfy.core.workflow.model import Input, Link, Node, Subgraph


def defined_slots(spec: NodeSpec, widgets: Sequence[Widget]) -> tuple[Input, ...]:
    """Return the slots of a definition: sockets first, then one for each widget. Bypassing depends on the order."""
    sockets = [_socket(s) for s in spec.inputs if not s.is_widget and s.type != AUTOGROW]
    known = {s.name: s for s in spec.inputs}
    inputs: list[Input] = []
    for widget in widgets:
        if widget.kind in ("CONTROL", "BUTTON") or widget.options.get("socketless"):
            continue
        type_ = known[widget.name].type if widget.name in known else widget.kind
        inputs.append(Input(widget.name, type_, widget=widget.name))
        if widget.kind == DYNAMIC_COMBO:
            # The sockets of an option come right after its combo.
            inputs.extend(_socket(s) for s in _chosen(widget) if not s.is_widget and s.type != AUTOGROW)
    return tuple(dict.fromkeys([*sockets, *inputs]))


def _chosen(widget: Widget) -> Iterable[InputSpec]:
    parts = widget.parts or {}
    return parts.get(widget.default, ()) if isinstance(widget.default, str) else ()


def _socket(spec: InputSpec) -> Input:
    if spec.type == MATCH_TYPE:
        allowed = as_mapping(spec.options.get("template")).get("allowed_types")
        return Input(spec.name, allowed if isinstance(allowed, str) else "*")
    return Input(spec.name, spec.type)


def node_slots(defined: Sequence[Input], node: Node) -> tuple[Input, ...]:
    """Return `defined` with the links of `node`, by name, and then the inputs that only the file has (dynamic ones).
    Those that the file has for widgets which are gone are left out."""
    saved: dict[str, Input] = {}
    for input_ in node.inputs:
        # Of several with one name, one that is linked: some files list an input twice.
        if input_.name not in saved or saved[input_.name].link is None:
            saved[input_.name] = input_
    names = {d.name for d in defined}
    merged = [d._replace(link=saved[d.name].link) if d.name in saved else d for d in defined]
    return (*merged, *(i for i in node.inputs if i.name not in names and i.widget in (None, *names)))


def link_slots(slots: Sequence[Input], incoming: Iterable[Link], saved: Sequence[Input] = ()) -> tuple[Input, ...]:
    """Return `slots` with the links of the graph's table, as the editor repairs them: a slot keeps its link only if the
    table leads it to this node, and a link that no slot names goes to the slot of its number, if that is free. One that
    the file names for an input which is gone is left out; `saved` are the file's inputs."""
    by_id = {link.id: link for link in incoming}
    linked = [s if s.link is None or s.link in by_id else s._replace(link=None) for s in slots]
    named = {s.link for s in linked}
    for link in by_id.values():
        at = link.target_slot
        if link.id in named or not 0 <= at < len(linked) or linked[at].link is not None:
            continue
        if not any(i.link == link.id and all(i.name != slot.name for slot in slots) for i in saved):
            linked[at] = linked[at]._replace(link=link.id)
    return tuple(linked)


def host_slots(subgraph: Subgraph, node: Node) -> tuple[Input, ...]:
    """Return the inputs of a host, one for each input of its subgraph; several with one name are matched in order."""
    saved: dict[str, list[Input]] = {}
    for input_ in node.inputs:
        saved.setdefault(input_.name, []).append(input_)
    slots = []
    for slot in subgraph.inputs:
        found = saved.get(slot.name)
        slots.append(Input(slot.name, slot.type, found.pop(0).link if found else None))
    return tuple(slots)


def compatible(a: str, b: str) -> bool:
    """Return whether slots of these types may be linked. Types are lists separated by commas, without case; `*`, `0`
    and "" match any type."""
    if a in ("", "*", "0") or b in ("", "*", "0") or a == b:
        return True
    a, b = a.lower(), b.lower()
    return a == b or (("," in a or "," in b) and not {*a.split(",")}.isdisjoint(b.split(",")))


def bypass_slot(inputs: Sequence[Input], slot: int, output_type: str, target_type: str) -> int | None:
    """Return the index of the input that a bypassed node passes to its output `slot`; None if there is none.
    `target_type` is the type of the final target."""
    if target_type in ("*", ""):
        return slot if slot < len(inputs) else 0 if inputs else None

    def fits(index: int) -> bool:
        return compatible(inputs[index].type, output_type) and compatible(inputs[index].type, target_type)

    if slot < len(inputs) and fits(slot):
        return slot
    for i, input_ in enumerate(inputs):
        if input_.type == target_type:
            return i
    return next((i for i in range(len(inputs)) if fits(i)), None)
