"""Describe a diff in words: a line for each change, or one line for all."""

import json
from collections.abc import Iterable, Sequence

from pycomfy.core.versions.diff import Change, Diff, ImageChange, Moved, NodeChanges, Retyped

_MAX_VALUE = 60  # characters of a value
_MAX_GATEWAY = 3  # packages, a line each


def describe_diff(diff: Diff) -> list[str]:
    """Return a line for each change; none where nothing changed. Images have `describe_image`."""
    return [
        *describe_nodes(diff.nodes),
        *(f"{m.name}: {_from_to(m.old, m.new)}" for m in diff.settings),
        *(f"{m.name} {_from_to(m.old, m.new)}" for m in diff.comfyui),
        *_moves("node pack", diff.packs),
        *_moves("package", diff.packages),
        *_moves("Debian package", diff.debian),
        *_moves("model", diff.models),
        *_gateway(diff.gateway),
    ]


def describe_nodes(nodes: NodeChanges) -> list[str]:
    """Return a line for each change of a node."""
    return [
        *(f"node {n.id} added: {_named(n.type, n.title)}" for n in nodes.added),
        *(f"node {n.id} removed: {_named(n.type, n.title)}" for n in nodes.removed),
        *(f"node {r.node}: {r.old} → {r.new}" for r in nodes.retyped),
        *(_switched(r) for r in nodes.switched),
        *(_rewired(c) for c in nodes.rewired),
        *(_parameter(c) for c in nodes.parameters),
        *(["the workflow's layout"] if nodes.layout else []),
    ]


def describe_image(image: ImageChange) -> str:
    """Return a line such as `linux/amd64: 7.73 GB → 7.75 GB, 20 layers shared, other: pack-x, workflow`."""
    sizes = f"{image.old_size / 1e9:.2f} GB"
    if image.new_size != image.old_size:
        sizes += f" → {image.new_size / 1e9:.2f} GB"
    other = list(dict.fromkeys((*image.removed, *image.added)))
    tail = f", other: {', '.join(other)}" if other else ""
    layers = "1 layer" if image.shared == 1 else f"{image.shared} layers"
    return f"{image.platform}: {sizes}, {layers} shared{tail}"


def summarise(diff: Diff) -> str:
    """Return one line with the first three changes, and the number of the others."""
    lines = describe_diff(diff)
    if not lines:
        return "the same, built by another pycomfy"
    more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more


def show_value(value: object) -> str:
    """Return a value as JSON, shortened to 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _moves(kind: str, moved: Iterable[Moved]) -> Iterable[str]:
    for m in moved:
        where = f" on {', '.join(m.platforms)}" if m.platforms else ""
        yield f"{kind} {m.name}{where}: {_from_to(m.old, m.new)}"


def _gateway(moved: Sequence[Moved]) -> Iterable[str]:
    """A line for each package, or one for all where another release of pycomfy has other ones."""
    if len(moved) <= _MAX_GATEWAY:
        yield from _moves("the gateway's package", moved)
    else:
        names = dict.fromkeys(m.name for m in moved)
        yield f"{len(names)} packages of the gateway: {', '.join(list(names)[:_MAX_GATEWAY])}, …"


def _from_to(old: str | None, new: str | None) -> str:
    if old is None:
        return f"added, {new}"
    if new is None:
        return f"removed, was {old}"
    return f"{old} → {new}"


def _named(type_: str, title: str) -> str:
    return type_ if title in ("", type_) else f"{type_} ({title})"


def _switched(r: Retyped) -> str:
    return f"node {r.node} ({r.title}): {'runs again' if r.new == 'runs' else r.new}"


def _rewired(c: Change) -> str:
    who = f"node {c.node} ({_named(c.type, c.title)})"
    if c.removed:
        return f"{who}: {c.input} is not linked any more, was {c.old}"
    return f"{who}: {c.input} linked to {c.new}" + ("" if c.added else f", was {c.old}")


def _parameter(c: Change) -> str:
    who = f"node {c.node} ({_named(c.type, c.title)}): {c.input}"
    if c.added:
        return f"{who} = {show_value(c.new)}"
    if c.removed:
        return f"{who} removed, was {show_value(c.old)}"
    return f"{who} {show_value(c.old)} → {show_value(c.new)}"
