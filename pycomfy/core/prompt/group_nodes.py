"""Open legacy group nodes as if they were subgraphs.

The file contains the group once, in `extra.groupNodes`, and for each use only the values of its widgets, by position.
Its widgets, inputs and outputs follow from the definitions of the nodes inside.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pycomfy.core.loose_json import as_list, as_mapping, as_text
from pycomfy.core.prompt.flatten import PRIMITIVE, REROUTE
from pycomfy.core.prompt.node_definitions import Definitions, InputSpec, NodeSpec
from pycomfy.core.prompt.node_details import guess_spec
from pycomfy.core.prompt.widgets import make_widgets, restore_widgets
from pycomfy.core.workflow.litegraph import GROUP_PREFIXES, parse_node_body
from pycomfy.core.workflow.model import SUBGRAPH_INPUT, SUBGRAPH_OUTPUT, Graph, Input, Link, Node, Slot, Subgraph

MAX_INNER = 10_000


class _Inner(NamedTuple):
    """An input inside the group: the index of the node, and the input's name."""

    node: int
    name: str


@dataclass(slots=True)
class _Layout:
    """The widgets, inputs and outputs of a use of the group, in order."""

    widgets: list[tuple[InputSpec, _Inner]] = field(default_factory=list)
    inputs: list[tuple[str, str, _Inner]] = field(default_factory=list)
    """Name, type, and the inner input that it feeds."""
    outputs: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Name, type, index of the node, slot."""


class _Group(NamedTuple):
    """A group, parsed once for all its uses."""

    nodes: list[Node]
    links: list[Link]
    specs: list[NodeSpec | None]
    layout: _Layout


class GroupNodes:
    """The group nodes of a workflow, opened with a server's definitions."""

    def __init__(self, groups: Mapping[str, Mapping[str, object]], definitions: Definitions) -> None:
        self._groups = groups
        self._definitions = definitions
        self._parsed: dict[str, _Group] = {}

    def open(self, node: Node) -> tuple[Node, Subgraph] | None:
        """Return `node` as the host of a subgraph, and that subgraph with the values of this use; None if it is not a
        group node."""
        name = next((node.type[len(p) :] for p in GROUP_PREFIXES if node.type.startswith(p)), None)
        group = self._groups.get(name) if name is not None else None
        if name is None or group is None:
            return None
        if name not in self._parsed:
            self._parsed[name] = self._parse(group)
        saved, links, specs, layout = self._parsed[name]
        nodes, left = self._with_values(saved, specs, layout, node)
        return _host(node, layout, left), _subgraph(f"workflow>{name}", name, nodes, links, layout)

    def _parse(self, group: Mapping[str, object]) -> "_Group":
        nodes = _parse_nodes(group)
        links = _parse_links(group, len(nodes))
        specs = [self._spec(n, i, links) for i, n in enumerate(nodes)]
        return _Group(nodes, links, specs, _lay_out(nodes, specs, links, group))

    def _spec(self, node: Node, index: int, links: Sequence[Link]) -> NodeSpec | None:
        """The definition that the frontend makes for a node inside; None for nodes that show nothing outside."""
        if node.type == PRIMITIVE:
            link = next((li for li in links if li.origin == str(index)), None)
            if link is None:
                return None
            value = InputSpec("value", link.type, {"control_after_generate": True} if link.type in _CONTROLLED else {})
            return NodeSpec(PRIMITIVE, (value,), (), node.title or PRIMITIVE, output_node=False)
        if node.type == REROUTE:
            return None
        return self._definitions.find(node.type) or guess_spec(node)

    def _with_values(
        self, nodes: Sequence[Node], specs: Sequence[NodeSpec | None], layout: _Layout, use: Node
    ) -> tuple[list[Node], Mapping[str, object]]:
        """The inner nodes with the values that the file has for this use of the group, and those that none takes."""
        shown = [_renamed(spec, str(i)) for i, (spec, _) in enumerate(layout.widgets)]
        group_spec = NodeSpec(use.type, tuple(shown), (), use.type, output_node=False)
        names = {spec.name: str(i) for i, (spec, _) in enumerate(layout.widgets)}
        named = {names[n]: v for n, v in use.named.items() if n in names} if use.named is not None else None
        found = restore_widgets(group_spec, make_widgets(group_spec.inputs), replace(use, named=named))
        restored = found.values
        values_by_node: dict[int, dict[str, object]] = {}
        unset: dict[int, set[str]] = {}
        for i, (_, inner) in enumerate(layout.widgets):
            if str(i) in restored:
                values_by_node.setdefault(inner.node, {})[inner.name] = restored[str(i)]
            if str(i) in found.unset:
                unset.setdefault(inner.node, set()).add(inner.name)
        result = []
        for index, (node, spec) in enumerate(zip(nodes, specs, strict=True)):
            values = values_by_node.get(index, {})
            if spec is None or not values:
                result.append(node)
            elif node.type == PRIMITIVE:
                result.append(replace(node, values=(values.get("value"),), named=None))
            else:
                own = restore_widgets(spec, make_widgets(spec.inputs), node)
                without = unset.get(index, set()) | (own.unset - values.keys())
                known = {n: v for n, v in {**own.left, **own.values, **values}.items() if n not in without}
                result.append(replace(node, named=known))
        return result, {**found.left, **_unnamed(use, names)}


_CONTROLLED = frozenset(("INT", "COMBO"))


def _unnamed(use: Node, names: Mapping[str, str]) -> Mapping[str, object]:
    """The values that a use of a group has by names that the group lacks."""
    return {n: v for n, v in (use.named or {}).items() if n not in names}


def _renamed(spec: InputSpec, name: str) -> InputSpec:
    """`spec` with another name; a seed keeps the control that it has because of its name."""
    options = dict(spec.options)
    if spec.type == "INT" and spec.name.rsplit(" ", 1)[-1] in ("seed", "noise_seed"):
        options["control_after_generate"] = True
    return spec._replace(name=name, options=options)


def _parse_nodes(group: Mapping[str, object]) -> list[Node]:
    parsed = []
    for index, value in enumerate(map(as_mapping, as_list(group.get("nodes"))[:MAX_INNER])):
        node = parse_node_body(value, str(index), as_text(value.get("type")))
        # The links of the saved nodes are those of the original graph of the group.
        parsed.append(replace(node, inputs=tuple(i._replace(link=None) for i in node.inputs)))
    return parsed


def _parse_links(group: Mapping[str, object], count: int) -> list[Link]:
    """The links inside the group: `[from index, slot, to index, slot, …, type]`; those from outside have no index."""
    parsed = []
    for number, value in enumerate(as_list(group.get("links"))):
        if not isinstance(value, list) or len(value) < 4 or not all(type(v) is int for v in value[:4]):
            continue
        origin, slot, target, target_slot = value[:4]
        if 0 <= origin < count and 0 <= target < count and slot >= 0:
            type_ = value[5] if len(value) > 5 and isinstance(value[5], str) else "*"
            parsed.append(Link(f"g{number}", str(origin), slot, str(target), target_slot, type_))
    return parsed


def _lay_out(
    nodes: Sequence[Node], specs: Sequence[NodeSpec | None], links: Sequence[Link], group: Mapping[str, object]
) -> _Layout:
    layout = _Layout()
    seen: dict[str, int] = {}
    seen_outputs: set[str] = set()
    linked = {(li.target, li.target_slot) for li in links}
    used = {(li.origin, li.origin_slot) for li in links}
    external = _external(group)
    later: list[tuple[int, int, InputSpec]] = []
    for index, (node, spec) in enumerate(zip(nodes, specs, strict=True)):
        config = _config(group, index)
        if spec is None:
            _lay_out_reroute(layout, node, index, linked, used, external)
            continue
        positions = {i.name: n for n, i in enumerate(node.inputs)}
        converted = {i.name for i in node.inputs if i.widget == i.name}
        for position, input_ in enumerate(spec.inputs):
            if input_.is_widget and input_.name in converted:
                later.append((index, positions[input_.name], input_))
            elif input_.is_widget:
                name = _input_name(node, input_.name, config, seen)
                layout.widgets.append((input_._replace(name=name), _Inner(index, input_.name)))
            elif (str(index), positions.get(input_.name, position)) not in linked:
                name = _input_name(node, input_.name, config, seen)
                if _entry(config, "input", input_.name).get("visible") is not False:
                    layout.inputs.append((name, input_.type, _Inner(index, input_.name)))
        _lay_out_outputs(layout, node, index, spec, config, used, external, seen_outputs)
    # Widgets that were converted to inputs come last, those of each node in the order of its slots.
    for index, position, input_ in sorted(later, key=lambda e: (e[0], e[1])):
        if (str(index), position) not in linked:
            name = _input_name(nodes[index], input_.name, _config(group, index), seen)
            layout.widgets.append((input_._replace(name=name), _Inner(index, input_.name)))
            layout.inputs.append((name, input_.type, _Inner(index, input_.name)))
    return layout


def _lay_out_reroute(
    layout: _Layout,
    node: Node,
    index: int,
    linked: set[tuple[str, int]],
    used: set[tuple[str, int]],
    external: set[tuple[int, int]],
) -> None:
    """Add the side of a reroute that nothing inside is linked to, and its output if something outside uses it."""
    if node.type != REROUTE:
        return
    has_input, has_output = (str(index), 0) in linked, (str(index), 0) in used
    type_ = node.outputs[0].type if node.outputs else "*"
    if not has_input:
        layout.inputs.append((type_, type_, _Inner(index, node.inputs[0].name if node.inputs else "")))
    if not has_output or (index, 0) in external:
        layout.outputs.append((type_, type_, index, 0))


def _lay_out_outputs(
    layout: _Layout,
    node: Node,
    index: int,
    spec: NodeSpec,
    config: Mapping[str, object],
    used: set[tuple[str, int]],
    external: set[tuple[int, int]],
    seen: set[str],
) -> None:
    for slot, output in enumerate(spec.outputs):
        entry = _entry(config, "output", str(slot))
        visible = entry.get("visible")
        hidden = (str(index), slot) in used and (index, slot) not in external
        if not (visible if isinstance(visible, bool) else not hidden):
            continue
        label = entry.get("name")
        name = label if isinstance(label, str) and label else output.name
        if name in seen:
            name = f"{node.title or node.type} {name}"
            if name in seen:
                name = f"{node.title or node.type} {index} {output.name}"
        seen.add(name)
        layout.outputs.append((name, output.type, index, slot))


def _input_name(node: Node, name: str, config: Mapping[str, object], seen: dict[str, int]) -> str:
    """The name of an input in the group: its own, with the node's title in front if another input has that name."""
    custom = _entry(config, "input", name).get("name")
    shown = custom if isinstance(custom, str) and custom else name
    key = shown
    if (node.type == PRIMITIVE and node.title) or shown in seen:
        prefix = f"{node.title or node.type} "
        key = shown = f"{prefix}{name}"
        if shown in seen:
            shown = f"{prefix}{seen[shown]} {name}"
    seen[key] = seen.get(key, 1) + 1
    return shown


def _config(group: Mapping[str, object], index: int) -> Mapping[str, object]:
    return as_mapping(as_mapping(group.get("config")).get(str(index)))


def _entry(config: Mapping[str, object], side: str, name: str) -> Mapping[str, object]:
    return as_mapping(as_mapping(config.get(side)).get(name))


def _external(group: Mapping[str, object]) -> set[tuple[int, int]]:
    """The outputs that something outside used when the group was made: `[index, slot, type]`."""
    return {
        (int(e[0]), int(e[1]))
        for e in as_list(group.get("external"))
        if isinstance(e, list) and len(e) >= 3 and type(e[0]) is int and type(e[1]) is int and e[2] is not None
    }


def _host(node: Node, layout: _Layout, left: Mapping[str, object]) -> Node:
    """The use with the input names of the layout; inputs that the file names otherwise are taken by position. Of its
    values it has those that were `left`."""
    saved = {i.name: i for i in node.inputs}
    names = {name for name, _, _ in layout.inputs}
    inputs = []
    for position, (name, type_, _) in enumerate(layout.inputs):
        found = saved.get(name)
        if found is None and position < len(node.inputs) and node.inputs[position].name not in names:
            found = node.inputs[position]
        inputs.append(Input(name, type_, found.link if found is not None else None))
    return replace(node, inputs=tuple(inputs), values=left, named=None)


def _subgraph(id_: str, name: str, nodes: Sequence[Node], links: Sequence[Link], layout: _Layout) -> Subgraph:
    all_links = {li.id: li for li in links}
    feeds: defaultdict[int, dict[str, str]] = defaultdict(dict)
    inputs, outputs = [], []
    for position, (shown, type_, inner) in enumerate(layout.inputs):
        id_in = f"i{position}"
        all_links[id_in] = Link(id_in, SUBGRAPH_INPUT, position, str(inner.node), -1, type_)
        feeds[inner.node][inner.name] = id_in
        inputs.append(Slot(shown, type_, (id_in,)))
    for position, (shown, type_, index, slot) in enumerate(layout.outputs):
        id_out = f"o{position}"
        all_links[id_out] = Link(id_out, str(index), slot, SUBGRAPH_OUTPUT, position, type_)
        outputs.append(Slot(shown, type_, (id_out,)))
    by_target = {(li.target, li.target_slot): li.id for li in links}
    wired = []
    for index, node in enumerate(nodes):
        slots = [
            i._replace(link=by_target.get((str(index), position)) or feeds[index].get(i.name))
            for position, i in enumerate(node.inputs)
        ]
        known = {s.name for s in slots}
        slots += [Input(n, "*", link) for n, link in feeds[index].items() if n not in known]
        wired.append(replace(node, inputs=tuple(slots)))
    return Subgraph(id_, name, Graph(tuple(wired), all_links), tuple(inputs), tuple(outputs))
