"""Compare two versions by what users know of them: nodes, parameters, packs, packages, models."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, Pack, Wheel
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.node_view import NodeView, read_modes, read_prompt_nodes, read_workflow_nodes
from pycomfy.core.versions.snapshot import Snapshot
from pycomfy.core.workflow.model import Workflow


@dataclass(frozen=True)
class Change:
    """An input's value, or the output that feeds it, changes from `old` to `new`. Where it is `added`, `old` is None;
    where it is `removed`, `new` is."""

    node: str
    type: str
    title: str
    input: str
    old: object
    new: object
    added: bool = False
    removed: bool = False


@dataclass(frozen=True)
class Retyped:
    """A node gets another type, or is muted, bypassed, or runs again."""

    node: str
    title: str
    old: str
    new: str


@dataclass(frozen=True)
class Moved:
    """A pinned thing changes from `old` to `new`; None where it is absent. `platforms` lists those concerned, if not
    all are."""

    name: str
    old: str | None
    new: str | None
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageChange:
    """Sizes in bytes; `shared` counts the layers that both have, `added` and `removed` name the others."""

    platform: str
    old_size: int
    new_size: int
    shared: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class NodeChanges:
    """`layout`: the workflow's file changed, but nothing that runs: positions, colours, titles, notes."""

    added: tuple[NodeView, ...] = ()
    removed: tuple[NodeView, ...] = ()
    retyped: tuple[Retyped, ...] = ()
    switched: tuple[Retyped, ...] = ()
    rewired: tuple[Change, ...] = ()
    parameters: tuple[Change, ...] = ()
    layout: bool = False


@dataclass(frozen=True)
class Diff:
    """From the version `old` to `new`; both are labels. `settings` are the lock's own: its name, date, Python;
    `gateway` are the packages that the gateway runs with."""

    old: str
    new: str
    nodes: NodeChanges
    settings: tuple[Moved, ...] = ()
    comfyui: tuple[Moved, ...] = ()
    packs: tuple[Moved, ...] = ()
    packages: tuple[Moved, ...] = ()
    debian: tuple[Moved, ...] = ()
    models: tuple[Moved, ...] = ()
    gateway: tuple[Moved, ...] = ()
    images: tuple[ImageChange, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changed that an image is made from. Images may differ nonetheless."""
        moved = (self.settings, self.comfyui, self.packs, self.packages, self.debian, self.models, self.gateway)
        return self.nodes == NodeChanges() and not any(moved)


def diff(old: Snapshot, new: Snapshot) -> Diff:
    """Return what changed from `old` to `new`. Nodes are compared as they run, if both versions have a prompt."""
    return Diff(
        old.label,
        new.label,
        _nodes(old, new),
        _moved(_settings(old.lock), _settings(new.lock)),
        _moved(_comfyui(old.lock), _comfyui(new.lock)),
        _moved(*(_packs(s.lock) for s in (old, new))),
        _per_platform(*(_wheels(s.lock) for s in (old, new))),
        _per_platform(*(_debian(s.lock) for s in (old, new))),
        _moved(*({m.location: m.sha256[:12] for m in s.lock.models} for s in (old, new))),
        _per_platform(*(_gateway(s.lock) for s in (old, new))),
        tuple(_image(old.images[p], new.images[p]) for p in sorted(old.images) if p in new.images),
    )


def diff_nodes(old: Mapping[str, NodeView], new: Mapping[str, NodeView]) -> NodeChanges:
    """Return how one set of nodes, by id, becomes another."""
    both = [(node, new[id_]) for id_, node in old.items() if id_ in new]
    return NodeChanges(
        added=tuple(node for id_, node in new.items() if id_ not in old),
        removed=tuple(node for id_, node in old.items() if id_ not in new),
        retyped=tuple(Retyped(a.id, b.title, a.type, b.type) for a, b in both if a.type != b.type),
        rewired=tuple(c for a, b in both for c in _changes(b, a.links, b.links)),
        parameters=tuple(c for a, b in both for c in _changes(b, a.values, b.values)),
    )


def _nodes(old: Snapshot, new: Snapshot) -> NodeChanges:
    if old.prompt is not None and new.prompt is not None:
        before, after = read_prompt_nodes(old.prompt), read_prompt_nodes(new.prompt)
    else:
        before, after = read_workflow_nodes(old.workflow), read_workflow_nodes(new.workflow)
    found = diff_nodes(before, after)
    # A muted node is in no prompt, but it was not removed.
    modes, types = (read_modes(old.workflow), read_modes(new.workflow)), _types(old.workflow, new.workflow)
    switched = tuple(
        Retyped(id_, types[id_], modes[0].get(id_, "runs"), modes[1].get(id_, "runs"))
        for id_ in sorted({*modes[0], *modes[1]})
        if id_ in types and modes[0].get(id_) != modes[1].get(id_)
    )
    ids = {s.node for s in switched}
    changes = NodeChanges(
        tuple(n for n in found.added if n.id not in ids),
        tuple(n for n in found.removed if n.id not in ids),
        found.retyped,
        switched,
        found.rewired,
        found.parameters,
    )
    layout = changes == NodeChanges() and old.lock.workflow != new.lock.workflow
    return NodeChanges(layout=True) if layout else changes


def _types(old: Workflow, new: Workflow) -> dict[str, str]:
    """Return the types of the nodes that are at the top level of both workflows, by id."""
    there = {n.id for n in old.graph.nodes}
    return {n.id: n.type for n in new.graph.nodes if n.id in there}


def _changes(node: NodeView, old: Mapping[str, object], new: Mapping[str, object]) -> Iterable[Change]:
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(node.id, node.type, node.title, name, old[name], None, removed=True)
        elif name not in old:
            yield Change(node.id, node.type, node.title, name, None, new[name], added=True)
        elif _text(old[name]) != _text(new[name]):
            yield Change(node.id, node.type, node.title, name, old[name], new[name])


def _text(value: object) -> str:
    """Return the value as JSON: 1, 1.0 and True are equal in Python, but not in JSON."""
    return json.dumps(value, sort_keys=True, default=str)


# — pins —


def _moved(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Moved, ...]:
    names = sorted({*old, *new})
    return tuple(Moved(n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n))


def _per_platform(
    old: Mapping[PlatformName, Mapping[str, str]], new: Mapping[PlatformName, Mapping[str, str]]
) -> tuple[Moved, ...]:
    """Return the changes of all platforms, equal ones once. A platform that only one version has is a change of the
    settings."""
    shared = sorted({*old} & {*new})
    platforms: dict[tuple[str, str | None, str | None], list[str]] = {}
    for platform in shared:
        for moved in _moved(old[platform], new[platform]):
            platforms.setdefault((moved.name, moved.old, moved.new), []).append(platform)
    return tuple(
        Moved(*key, () if len(found) == len(shared) else tuple(found))
        for key, found in sorted(platforms.items(), key=lambda item: (item[0][0], item[1]))
    )


def _settings(lock: Lock) -> dict[str, str]:
    suites = sorted({p.root.suite for p in lock.platforms.values()})
    return {
        "name": lock.name,
        "as-of": lock.as_of,
        "python": lock.python,
        "accelerator": lock.accelerator or "none",
        "compiler": "in the image" if lock.compiler else "none",
        "debian": ", ".join(suites),
        "platforms": ", ".join(sorted(lock.platforms)),
    }


def _comfyui(lock: Lock) -> dict[str, str]:
    return {COMFYUI: f"{lock.comfyui.version} ({lock.comfyui.source.pin})"}


def _packs(lock: Lock) -> dict[str, str]:
    return {pack.name: pack.source.pin + _steps(pack) for pack in lock.packs}


def _steps(pack: Pack) -> str:
    """Return what is run on its files, if anything is: another command makes it another pack."""
    commands = (shlex.join(step.run) for step in pack.steps)
    return "".join(f", then {c if c.isprintable() else ascii(c)}" for c in commands)


def _wheels(lock: Lock) -> dict[PlatformName, dict[str, str]]:
    """Return the packages of each platform, by name: the version, and the file's hash, as one version may have several
    files."""
    return {p: _versions(parts.wheels) for p, parts in lock.platforms.items()}


def _gateway(lock: Lock) -> dict[PlatformName, dict[str, str]]:
    return {p: _versions(parts.gateway) for p, parts in lock.platforms.items()}


def _versions(wheels: Iterable[Wheel]) -> dict[str, str]:
    return {w.name: f"{w.version} ({w.sha256[:12]})" for w in wheels}


def _debian(lock: Lock) -> dict[PlatformName, dict[str, str]]:
    return {
        p: {d.name: f"{d.version} ({d.sha256[:12]})" for d in parts.root.packages}
        for p, parts in lock.platforms.items()
    }


def _image(old: BuiltImage, new: BuiltImage) -> ImageChange:
    mine, theirs = set(old.diff_ids), set(new.diff_ids)
    return ImageChange(
        old.platform,
        old.size,
        new.size,
        len(mine & theirs),
        _layers(new, theirs - mine),
        _layers(old, mine - theirs),
    )


def _layers(image: BuiltImage, chosen: set[str]) -> tuple[str, ...]:
    names = dict(zip(image.diff_ids, image.layer_names, strict=False))
    return tuple(names.get(d, d.removeprefix("sha256:")[:12]) for d in image.diff_ids if d in chosen)
