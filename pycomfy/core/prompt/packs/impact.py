"""ComfyUI-Impact-Pack: previews that begin anew, and a button that is sent."""

from pycomfy.core.prompt.packs.rules import PackRules, SavedValue, WidgetRules

_BRIDGES = frozenset(("PreviewBridge", "PreviewBridgeLatent"))
_MENUS = frozenset(("Select to add LoRA", "Select to add Wildcard"))
"""Menus that write into a text, also of Easy-Use and Inspire-Pack."""


def _read_value(saved: SavedValue) -> object:
    """A bridge shows no picture of an earlier server. What was chosen in a menu is in the text, and not kept."""
    if saved.name in _MENUS and saved.choices:
        return saved.choices[0]
    if saved.node.type in _BRIDGES and saved.name == "image":
        return f"${saved.node.id}-0"
    return saved.value


RULES = PackRules(
    widgets={
        "ImpactSEGSPicker": WidgetRules(added={"pick": "image"}),
    },
    read_value=_read_value,
)
