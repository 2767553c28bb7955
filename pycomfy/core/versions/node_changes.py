"""Compare the node types of two images: what was added, what is gone, and whose inputs and outputs changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pycomfy.core.prompt.node_definitions import InputSpec, NodeSpec, parse_node_spec
from pycomfy.core.sentences import shorten

MAX_VALUE = 60
"""Characters of a value of an option."""

MAX_CHOICES = 5
"""Choices of an input that are named."""


@dataclass(frozen=True)
class NodeChanges:
    """`added` and `removed` are node types with their modules, such as `custom_nodes.painter`; `changed` has for each
    type that both images have how its inputs and outputs differ, a line each."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.changed)


def compare_nodes(before: Mapping[str, object], after: Mapping[str, object]) -> NodeChanges:
    """Compare two answers of `/object_info`."""

    def module(definitions: Mapping[str, object], type_: str) -> str:
        return _parse(type_, definitions[type_]).module

    # Not by `==` of the answers: the order of a mapping's keys is that of the inputs.
    both = [type_ for type_ in after if type_ in before]
    changed = {type_: tuple(_describe(_parse(type_, before[type_]), _parse(type_, after[type_]))) for type_ in both}
    return NodeChanges(
        added={type_: module(after, type_) for type_ in sorted(after.keys() - before.keys())},
        removed={type_: module(before, type_) for type_ in sorted(before.keys() - after.keys())},
        changed={type_: lines for type_, lines in sorted(changed.items()) if lines},
    )


def _parse(type_: str, raw: object) -> NodeSpec:
    return parse_node_spec(type_, raw if isinstance(raw, Mapping) else {})


def _describe(before: NodeSpec, after: NodeSpec) -> Iterator[str]:
    old, new = ({spec.name: spec for spec in node.inputs} for node in (before, after))
    yield from (f"new input {name} ({spec.type})" for name, spec in new.items() if name not in old)
    yield from (f"no input {name} any more" for name in old if name not in new)
    common = [name for name in new if name in old]
    for name in common:
        if differences := list(_describe_input(old[name], new[name])):
            yield f"{name}: {', '.join(differences)}"
    if common != [name for name in old if name in new]:
        yield "its inputs are in another order, in which saved workflows have their values"
    if before.outputs != after.outputs:
        yield f"outputs {_list_outputs(before)} → {_list_outputs(after)}"
    if before.module != after.module:
        yield f"from {after.module or 'nowhere'}, before from {before.module or 'nowhere'}"


def _describe_input(before: InputSpec, after: InputSpec) -> Iterator[str]:
    if before.type != after.type:
        yield f"{before.type} → {after.type}"
    if before.optional != after.optional:
        yield "optional now" if after.optional else "required now"
    old, new = (list(spec.choices or ()) for spec in (before, after))
    yield from _describe_choices("new", [one for one in new if one not in old])
    yield from _describe_choices("no", [one for one in old if one not in new])
    for option in sorted({*before.options, *after.options} - {"options"}):
        values = [_show(spec.options[option]) if option in spec.options else "none" for spec in (before, after)]
        if before.options.get(option) != after.options.get(option):
            yield f"{option} {values[0]} → {values[1]}"


def _describe_choices(word: str, choices: list[object]) -> Iterator[str]:
    if choices:
        more = f" and {len(choices) - MAX_CHOICES} more" if len(choices) > MAX_CHOICES else ""
        yield f"{word} choice{'s' if len(choices) > 1 else ''} {', '.join(map(_show, choices[:MAX_CHOICES]))}{more}"


def _list_outputs(node: NodeSpec) -> str:
    return ", ".join(f"{one.name} ({one.type})" if one.name != one.type else one.type for one in node.outputs) or "none"


def _show(value: object) -> str:
    return shorten(str(value), MAX_VALUE)
