"""Read what a workflow looks like on the editor's canvas: where its nodes are, their sizes and colours, and its groups.

The rest of pycomfy does not need it: nothing of it changes what runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pycomfy.core.loose_json import as_list, as_mapping, as_number, as_text
from pycomfy.core.requirements.model import State
from pycomfy.core.workflow.litegraph import find_id
from pycomfy.core.workflow.model import ApiNode, Graph, Mode, Node, Workflow

COLUMN, ROW = 320.0, 40.0
"""Pixels between the columns, and between the nodes of a column, of a workflow that was saved without places."""

WIDTH, HEAD, LINE = 240.0, 40.0, 22.0
"""Pixels of a node without a size: its width, what its title takes, and each of its slots and values."""

AFTER_GENERATE = ("fixed", "increment", "decrement", "randomize")

MAX_VALUES, MAX_TEXT = 64, 2000
"""Values of a node that are shown, and characters of one."""


@dataclass(frozen=True)
class CanvasSlot:
    """An input or output; `type` is the type of what passes through it. `widget`: it stands for a value, which is
    shown in its place unless it is `linked`."""

    name: str
    type: str
    widget: bool = False
    linked: bool = False


@dataclass(frozen=True)
class CanvasValue:
    """A widget's value as text; `name` is "" where the file does not have it."""

    name: str
    text: str


@dataclass(frozen=True)
class CanvasNode:
    """A node. `x`, `y`, `width` and `height` are pixels of the editor. `subgraph` is the id of the graph that it stands
    for. Colours are CSS colours of six digits, or None."""

    id: str
    type: str
    title: str
    mode: State
    x: float
    y: float
    width: float
    height: float
    color: str | None = None
    background: str | None = None
    collapsed: bool = False
    subgraph: str | None = None
    inputs: tuple[CanvasSlot, ...] = ()
    outputs: tuple[CanvasSlot, ...] = ()
    values: tuple[CanvasValue, ...] = ()


@dataclass(frozen=True)
class CanvasLink:
    """A link between two nodes of the same graph, by the index of their slots."""

    id: str
    source: str
    source_slot: int
    target: str
    target_slot: int
    type: str


@dataclass(frozen=True)
class CanvasGroup:
    """A titled rectangle behind nodes."""

    title: str
    x: float
    y: float
    width: float
    height: float
    color: str | None = None


@dataclass(frozen=True)
class Canvas:
    """One graph; `id` is "" for the workflow's own, else that of a subgraph."""

    id: str
    name: str
    nodes: tuple[CanvasNode, ...]
    links: tuple[CanvasLink, ...]
    groups: tuple[CanvasGroup, ...] = ()


def read_canvases(workflow: Workflow, root: Mapping[str, object]) -> tuple[Canvas, ...]:
    """Return the graphs of a workflow, its own first. `root` is the JSON that it was parsed from."""
    if workflow.format == "api":
        return (_lay_out(workflow.api),)
    subgraphs = set(workflow.subgraphs)
    definitions = {as_text(d.get("id")): d for d in _definitions(root)}
    found = [_read(Canvas("", "", (), ()), workflow.graph, root, subgraphs)]
    for id_, subgraph in workflow.subgraphs.items():
        found.append(
            _read(Canvas(id_, subgraph.name, (), ()), subgraph.graph, as_mapping(definitions.get(id_)), subgraphs)
        )
    return tuple(found)


def _definitions(root: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    waiting = [root]
    while waiting:
        for one in as_list(as_mapping(waiting.pop().get("definitions")).get("subgraphs")):
            if isinstance(one, Mapping):
                yield one
                waiting.append(one)


def _read(head: Canvas, graph: Graph, saved: Mapping[str, object], subgraphs: set[str]) -> Canvas:
    places: dict[str, Mapping[str, object]] = {}
    for value in as_list(saved.get("nodes")):
        id_ = find_id(as_mapping(value).get("id"))
        if id_ is not None:
            places.setdefault(id_, as_mapping(value))
    nodes = tuple(_place(node, places.get(node.id, {}), subgraphs) for node in graph.nodes)
    known = {node.id for node in nodes}
    links = tuple(
        CanvasLink(link.id, link.origin, link.origin_slot, link.target, link.target_slot, link.type)
        for link in graph.links.values()
        if link.origin in known and link.target in known and link.target_slot >= 0
    )
    groups = tuple(filter(None, map(_read_group, as_list(saved.get("groups")))))
    return Canvas(head.id, head.name, nodes, links, groups)


def _place(node: Node, saved: Mapping[str, object], subgraphs: set[str]) -> CanvasNode:
    x, y = _pair(saved.get("pos"), (0.0, 0.0))
    lines = max(len(node.inputs), len(node.outputs)) + len(node.listed_values)
    width, height = _pair(saved.get("size"), (WIDTH, HEAD + LINE * lines))
    return CanvasNode(
        id=node.id,
        type=node.type,
        title=node.title or node.type,
        mode=_state(node.mode),
        x=x,
        y=y,
        width=max(width, 60.0),
        height=max(height, 20.0),
        color=_color(saved.get("color")),
        background=_color(saved.get("bgcolor")),
        collapsed=as_mapping(saved.get("flags")).get("collapsed") is True,
        subgraph=node.type if node.type in subgraphs else None,
        inputs=tuple(CanvasSlot(i.name, i.type, i.widget is not None, i.link is not None) for i in node.inputs),
        outputs=tuple(CanvasSlot(o.name, o.type) for o in node.outputs),
        values=_values(node),
    )


def _values(node: Node) -> tuple[CanvasValue, ...]:
    return tuple(CanvasValue(name, _text(value)) for name, value in list_values(node))


def list_values(node: Node) -> list[tuple[str, object]]:
    """Return the values of a node that are shown, with their names as far as the file has them."""
    named = node.named if node.named is not None else node.values if isinstance(node.values, Mapping) else None
    return list(named.items() if named is not None else _name_values(node))[:MAX_VALUES]


def _name_values(node: Node) -> Iterator[tuple[str, object]]:
    """Name the values by position by the inputs that stand for widgets, which newer files have in the same order. What
    the editor does with a seed after each run is a value of its own, behind the seed."""
    names = iter([i.widget for i in node.inputs if i.widget is not None])
    after_seed = False
    for value in node.listed_values:
        if after_seed and value in AFTER_GENERATE:
            after_seed = False
            yield "control after generate", value
            continue
        name = next(names, None) or ""
        after_seed = name in ("seed", "noise_seed")
        yield name, value


def _text(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _state(mode: int) -> State:
    return "muted" if mode == Mode.MUTED else "bypassed" if mode == Mode.BYPASSED else "runs"


def _read_group(value: object) -> CanvasGroup | None:
    group = as_mapping(value)
    numbers = [as_number(number) for number in as_list(group.get("bounding"))[:4]]
    x, y, width, height = [*numbers, None, None, None, None][:4]
    if x is None or y is None or width is None or height is None:
        return None
    return CanvasGroup(as_text(group.get("title")), x, y, width, height, _color(group.get("color")))


def _pair(value: object, default: tuple[float, float]) -> tuple[float, float]:
    """Two numbers: a list, or an object with the keys "0" and "1", as typed arrays are saved."""
    parts = [value.get(key) for key in "01"] if isinstance(value, Mapping) else [*as_list(value), None, None]
    one, other = map(as_number, parts[:2])
    return default if one is None or other is None else (one, other)


def _color(value: object) -> str | None:
    """A colour as #rrggbb; None for anything else: it goes into a page."""
    digits = as_text(value).removeprefix("#").lower()
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    whole = len(digits) == 6 and all(digit in "0123456789abcdef" for digit in digits)
    return f"#{digits}" if whole else None


# — a workflow in API format has no places —


def _lay_out(nodes: Sequence[ApiNode]) -> Canvas:
    """Put nodes in columns, each right of all that it takes something from."""
    known = {node.id: node for node in nodes}
    sources = {
        node.id: {name: link for name, value in node.inputs.items() if (link := _link(value, known)) is not None}
        for node in nodes
    }
    depths = _depths(sources)
    bottoms: dict[int, float] = {}
    slots = _outputs(sources)
    placed, links = [], []
    for node in nodes:
        column = depths[node.id]
        values = list_api_values(node, known)
        outputs = slots.get(node.id, 0)
        height = HEAD + LINE * (max(len(sources[node.id]), outputs) + len(values))
        top = bottoms.get(column, 0.0)
        bottoms[column] = top + height + ROW
        placed.append(
            CanvasNode(
                id=node.id,
                type=node.type,
                title=node.title or node.type,
                mode="runs",
                x=column * COLUMN,
                y=top,
                width=WIDTH,
                height=height,
                inputs=tuple(CanvasSlot(name, "*") for name in sources[node.id]),
                outputs=tuple(CanvasSlot("", "*") for _ in range(outputs)),
                values=tuple(CanvasValue(name, _text(value)) for name, value in values[:MAX_VALUES]),
            )
        )
        for at, (origin, slot) in enumerate(sources[node.id].values()):
            links.append(CanvasLink(f"{origin}:{slot}-{node.id}:{at}", origin, slot, node.id, at, "*"))
    return Canvas("", "", tuple(placed), tuple(links))


def list_api_values(node: ApiNode, known: Mapping[str, ApiNode]) -> list[tuple[str, object]]:
    """Return the inputs of a node that are no links; `known` are all nodes by id."""
    return [(name, value) for name, value in node.inputs.items() if _link(value, known) is None]


def _link(value: object, known: Mapping[str, ApiNode]) -> tuple[str, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    origin, slot = find_id(value[0]), value[1]
    return (origin, slot) if origin is not None and origin in known and type(slot) is int and 0 <= slot < 256 else None


def _outputs(sources: Mapping[str, Mapping[str, tuple[str, int]]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for links in sources.values():
        for origin, slot in links.values():
            counts[origin] = max(counts.get(origin, 0), slot + 1)
    return counts


def _depths(sources: Mapping[str, Mapping[str, tuple[str, int]]]) -> dict[str, int]:
    """The length of the longest way to each node; links that close a circle do not count."""
    depths: dict[str, int] = {}
    for start in sources:
        stack, open_ = [start], {start}
        while stack:
            id_ = stack[-1]
            waiting = [o for o, _ in sources[id_].values() if o not in depths and o not in open_]
            if id_ not in depths and waiting:
                stack.append(waiting[0])
                open_.add(waiting[0])
                continue
            depths.setdefault(id_, max((depths.get(o, -1) for o, _ in sources[id_].values()), default=-1) + 1)
            stack.pop()
            open_.discard(id_)
    return depths
