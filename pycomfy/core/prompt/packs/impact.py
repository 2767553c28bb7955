"""ComfyUI-Impact-Pack: previews that begin anew, and a button that is sent."""

from pycomfy.core.prompt.packs.rules import PackRules, SavedValue, WidgetRules

_BRIDGES = frozenset(("PreviewBridge", "PreviewBridgeLatent"))


def _read_value(saved: SavedValue) -> object:
    """A bridge shows no picture of an earlier server."""
    if saved.node.type in _BRIDGES and saved.name == "image":
        return f"${saved.node.id}-0"
    return saved.value


RULES = PackRules(
    widgets={
        "ImpactSEGSPicker": WidgetRules(added={"pick": "image"}),
    },
    read_value=_read_value,
)
