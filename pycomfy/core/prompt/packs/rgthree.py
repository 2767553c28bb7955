"""rgthree-comfy: nodes of the editor alone, and loaders whose rows are widgets that no definition lists."""

from collections.abc import Mapping

from pycomfy.core.loose_json import as_list, as_mapping
from pycomfy.core.prompt.packs.rules import PackRules, WidgetRules
from pycomfy.core.workflow.model import Node

_HEADER, _ADD = "PowerLoraLoaderHeaderWidget", "➕ Add Lora"


def _power_lora_loader(node: Node) -> Mapping[str, object]:
    """The rows of a Power Lora Loader: every saved value with a `lora`, numbered anew. Its header and its button are
    sent, too. A second strength, for CLIP, counts only if the node shows it."""
    rows = [dict(value) for value in node.listed_values if isinstance(value, Mapping) and "lora" in value]
    for row in rows:
        second = row.pop("strengthTwo", None)
        if node.properties.get("Show Strengths") == "Separate Model & Clip":
            row["strengthTwo"] = 1 if second is None else second
    return {_HEADER: {"type": _HEADER}, **{f"lora_{i}": row for i, row in enumerate(rows, 1)}, _ADD: ""}


def _image_comparer(node: Node) -> Mapping[str, object]:
    """The pictures that were compared last, as the editor shows them."""
    saved = next(iter(node.listed_values), None)
    images = saved if isinstance(saved, list) else as_list(as_mapping(saved).get("images"))
    return {"rgthree_comparer": {"images": images}}


def _power_primitive(node: Node) -> Mapping[str, object]:
    """The type, and the value as one of that type."""
    saved = (*node.listed_values, "STRING", "")
    type_ = "BOOLEAN" if saved[0] == "BOOL" else saved[0]
    return {"type": type_, "value": saved[1]}


def _power_puter(node: Node) -> Mapping[str, object]:
    """The types of the outputs, and the code."""
    saved = (*node.listed_values, {"outputs": ["STRING"]}, "")
    outputs = {"outputs": [saved[0]]} if isinstance(saved[0], str) else saved[0]
    return {"outputs": outputs, "code": saved[1]}


# fmt: off
_EDITOR_ONLY = frozenset((
    "Reroute (rgthree)", "Bookmark (rgthree)", "Label (rgthree)", "Node Collector (rgthree)",
    "Node Combiner (rgthree)", "Fast Muter (rgthree)", "Fast Bypasser (rgthree)", "Fast Groups Muter (rgthree)",
    "Fast Groups Bypasser (rgthree)", "Fast Actions Button (rgthree)", "Mute / Bypass Repeater (rgthree)",
    "Mute / Bypass Relay (rgthree)", "Random Unmuter (rgthree)",
))
# fmt: on

_INSERTING = frozenset(("insert_lora", "insert_embedding", "insert_saved"))
"""Menus of the prompt nodes that write into the text."""

_SIZES = frozenset(("target_width", "target_height", "crop_width", "crop_height"))
"""Sockets only, in the editor."""

RULES = PackRules(
    editor_only=_EDITOR_ONLY,
    own_values={
        "Power Lora Loader (rgthree)": _power_lora_loader,
        "Power Primitive (rgthree)": _power_primitive,
        "Power Puter (rgthree)": _power_puter,
        "Image Comparer (rgthree)": _image_comparer,
        "Display Any (rgthree)": lambda _: {"output": ""},
        "Display Int (rgthree)": lambda _: {"output": ""},
    },
    widgets={
        "Seed (rgthree)": WidgetRules(shown=frozenset("*")),
        "Power Prompt (rgthree)": WidgetRules(unsent=_INSERTING),
        "Power Prompt - Simple (rgthree)": WidgetRules(unsent=_INSERTING),
        "SDXL Power Prompt - Positive (rgthree)": WidgetRules(unsent=_INSERTING, removed=_SIZES),
        "SDXL Power Prompt - Simple / Negative (rgthree)": WidgetRules(unsent=_INSERTING, removed=_SIZES),
    },
)
