"""Handle nodes with widgets that the frontend's own scripts make, and that no definition lists."""

import re
from collections.abc import Mapping, Sequence

from pycomfy.core.prompt import packs
from pycomfy.core.prompt.widgets import Widget
from pycomfy.core.workflow.model import Node

CUSTOM_COMBO = "CustomCombo"
BRANCH_NAMES = "COMFY_BRANCH_INPUT_NAMES"
MAX_OPTIONS = 1_000

_BRANCHES = "autogrow."
_SHOWING = frozenset(("PreviewAny",))
_SHOWN = re.compile(
    r"(Status|Task ID): \S+($|\n)|(Price|Cost): \$|Time elapsed: \d|Result URL: http|width: \d+, height: \d+"
    r"|(/api)?/view\?filename="
)


def is_shown(type_: str, name: str, value: object) -> bool:
    """Return whether a saved value without a widget is what the editor showed while a node ran: a preview, or the text
    of its progress."""
    return type_ in _SHOWING or name.startswith("$$") or (isinstance(value, str) and bool(_SHOWN.match(value)))


def add_widgets(node: Node, widgets: Sequence[Widget]) -> list[Widget]:
    """Return the widgets of a node's definition with those that scripts add: the choices that a user wrote into a
    CustomCombo, and what scripts of packs add."""
    if node.type != CUSTOM_COMBO or len(widgets) != 1:
        rules = packs.widgets(node.type)
        kept = [w for w in widgets if w.name not in rules.removed]
        added = (Widget(name, "CUSTOM", value, options={"socketless": True}) for name, value in rules.added.items())
        return [*kept, *added]
    if node.named is not None or isinstance(node.values, Mapping):
        saved = node.named if node.named is not None else node.values
        count = sum(1 for name in saved if isinstance(name, str) and name.startswith("option"))
    else:
        count = len(node.values) - 2
    options = [Widget(f"option{i}", "STRING", "") for i in range(1, max(1, min(count, MAX_OPTIONS)) + 1)]
    return [widgets[0], Widget("index", "INT", -1), *options]


def add_computed_values(type_: str, widgets: Sequence[Widget], inputs: dict[str, object]) -> None:
    """Set the values that scripts compute from others when a prompt is queued."""
    if type_ == CUSTOM_COMBO and "index" in inputs:
        options = [v for k, v in inputs.items() if k.startswith("option")]
        choice = inputs.get("choice")
        inputs["index"] = options.index(choice) if choice in options else -1
    for widget in widgets:
        if widget.kind == BRANCH_NAMES:
            linked = [n[len(_BRANCHES) :] for n, v in inputs.items() if n.startswith(_BRANCHES) and isinstance(v, list)]
            inputs[widget.name] = {"__value__": linked}
