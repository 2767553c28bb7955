"""Nodes whose widgets the frontend's own scripts make: no definition tells them."""

from collections.abc import Mapping, Sequence

from pycomfy.core.prompt.widgets import Widget
from pycomfy.core.workflow.model import Node

CUSTOM_COMBO = "CustomCombo"
BRANCH_NAMES = "COMFY_BRANCH_INPUT_NAMES"
MAX_OPTIONS = 1_000

_BRANCHES = "autogrow."


def add_widgets(node: Node, widgets: Sequence[Widget]) -> list[Widget]:
    """The widgets of a node's definition and those that scripts add: the choices a person wrote into a CustomCombo."""
    if node.type != CUSTOM_COMBO or len(widgets) != 1:
        return list(widgets)
    if node.named is not None or isinstance(node.values, Mapping):
        saved = node.named if node.named is not None else node.values
        count = sum(1 for name in saved if isinstance(name, str) and name.startswith("option"))
    else:
        count = len(node.values) - 2
    options = [Widget(f"option{i}", "STRING", "") for i in range(1, max(1, min(count, MAX_OPTIONS)) + 1)]
    return [widgets[0], Widget("index", "INT", -1), *options]


def settle(type_: str, widgets: Sequence[Widget], inputs: dict[str, object]) -> None:
    """Put in the values that scripts work out from others at the moment of sending."""
    if type_ == CUSTOM_COMBO and "index" in inputs:
        options = [v for k, v in inputs.items() if k.startswith("option")]
        choice = inputs.get("choice")
        inputs["index"] = options.index(choice) if choice in options else -1
    for widget in widgets:
        if widget.kind == BRANCH_NAMES:
            linked = [n[len(_BRANCHES) :] for n, v in inputs.items() if n.startswith(_BRANCHES) and isinstance(v, list)]
            inputs[widget.name] = {"__value__": linked}
