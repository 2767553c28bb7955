"""What the browser code of node packs does to a prompt: one module a pack, in the order of `RULES`.

Packs come with scripts for the editor, which add widgets, links and nodes that no definition of the server lists. Each
rule is proven against the pack's own scripts in ComfyUI's editor (`tests/core/prompt/frontend_cases.json`).
"""

from collections.abc import Mapping, Sequence

from pycomfy.core.prompt.packs import custom_scripts, rgthree, use_everywhere, videohelpersuite
from pycomfy.core.prompt.packs.rules import PackRules, RawInput, SavedValue
from pycomfy.core.workflow.model import Graph, Node

RULES: tuple[PackRules, ...] = (custom_scripts.RULES, rgthree.RULES, use_everywhere.RULES, videohelpersuite.RULES)
"""The rules of all packs."""

EDITOR_ONLY: frozenset[str] = frozenset().union(*(rules.editor_only for rules in RULES))
"""Nodes that packs add to the editor by JavaScript alone. If a server lists one of these names, that is another
node."""

WIDGET_TYPES: frozenset[str] = frozenset().union(*(rules.widget_types for rules in RULES))
"""Input types that scripts of packs make widgets."""

_UNSENT = {type_: names for rules in RULES for type_, names in rules.unsent.items()}
_SHOWN = {type_: names for rules in RULES for type_, names in rules.shown.items()}
_OWN_VALUES = {type_: make for rules in RULES for type_, make in rules.own_values.items()}


def own_values(node: Node) -> Mapping[str, object]:
    """Return the widgets of a node that no definition lists, with their values; empty for most nodes."""
    make = _OWN_VALUES.get(node.type)
    return make(node) if make is not None else {}


def shown(type_: str) -> frozenset[str]:
    """Return the saved values of a node type that only the editor shows, by name; `*` stands for all that no widget
    takes."""
    return _SHOWN.get(type_, frozenset())


def unsent(type_: str) -> frozenset[str]:
    """Return the widgets of a node type that scripts leave out of the prompt."""
    return _UNSENT.get(type_, frozenset())


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


def add_links(graph: Graph) -> Graph:
    """Return a graph with the links that packs make when a prompt is queued."""
    for rules in RULES:
        graph = rules.add_links(graph) if rules.add_links is not None else graph
    return graph
