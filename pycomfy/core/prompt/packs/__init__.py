"""What the browser code of node packs does to a prompt: one module a pack, in the order of `RULES`.

Packs come with scripts for the editor, which add widgets, links and nodes that no definition of the server lists. Each
rule is proven against the pack's own scripts in ComfyUI's editor (`tests/core/prompt/frontend_cases.json`).
"""

from collections.abc import Mapping, Sequence

from pycomfy.core.prompt.packs import (
    comfy_mtb,
    custom_scripts,
    easy_use,
    impact,
    rgthree,
    tinyterra,
    use_everywhere,
    videohelpersuite,
)
from pycomfy.core.prompt.packs.rules import PackRules, RawInput, SavedValue, Settle, WidgetRules
from pycomfy.core.workflow.model import Graph, Node

RULES: tuple[PackRules, ...] = (
    comfy_mtb.RULES,
    custom_scripts.RULES,
    easy_use.RULES,
    impact.RULES,
    rgthree.RULES,
    tinyterra.RULES,
    use_everywhere.RULES,
    videohelpersuite.RULES,
)
"""The rules of all packs."""

EDITOR_ONLY: frozenset[str] = frozenset().union(*(rules.editor_only for rules in RULES))
"""Nodes that packs add to the editor by JavaScript alone. If a server lists one of these names, that is another
node."""

VIRTUAL: frozenset[str] = frozenset().union(*(rules.virtual for rules in RULES))
"""Nodes that a server lists, and the editor never sends."""

WIDGET_TYPES: Mapping[str, object] = {type_: value for rules in RULES for type_, value in rules.widget_types.items()}
"""Input types that scripts of packs make widgets, with their defaults."""

_NO_RULES = WidgetRules()
_WIDGETS = {type_: widgets for rules in RULES for type_, widgets in rules.widgets.items()}
_SETTLE = {type_: settle for rules in RULES for type_, settle in rules.settle.items()}
_OWN_VALUES = {type_: make for rules in RULES for type_, make in rules.own_values.items()}


def own_values(node: Node) -> Mapping[str, object]:
    """Return the widgets of a node that no definition lists, with their values; empty for most nodes."""
    make = _OWN_VALUES.get(node.type)
    return make(node) if make is not None else {}


def widgets(type_: str) -> WidgetRules:
    """Return what scripts do to the widgets of a node type; nothing for most."""
    return _WIDGETS.get(type_, _NO_RULES)


def dependent_inputs(options: Mapping[str, object]) -> Mapping[str, Sequence[RawInput]]:
    """Return the inputs that each choice of a combo brings with it; empty for most combos."""
    for rules in RULES:
        found = rules.dependent_inputs(options) if rules.dependent_inputs is not None else {}
        if found:
            return found
    return {}


def read_saved(node: Node) -> Node:
    """Return a node as the pack's script of today reads it."""
    for rules in RULES:
        node = rules.read_saved(node) if rules.read_saved is not None else node
    return node


def read_value(saved: SavedValue) -> object:
    """Return the value that a widget keeps of a saved one."""
    for rules in RULES:
        value = rules.read_value(saved) if rules.read_value is not None else saved.value
        saved = saved if value is saved.value else saved._replace(value=value)
    return saved.value


def settling(type_: str) -> Settle | None:
    """Return what makes the values of a node type that depend on others; None for most types."""
    return _SETTLE.get(type_)


def add_links(graph: Graph) -> Graph:
    """Return a graph with the links that packs make when a prompt is queued."""
    for rules in RULES:
        graph = rules.add_links(graph) if rules.add_links is not None else graph
    return graph
