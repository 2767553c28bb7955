"""comfy_mtb: colours, curves, and nodes with buttons that are sent."""

from pycomfy.core.prompt.packs.rules import PackRules, WidgetRules

_SHOWN = {"value_preview": "", "loop_preview": ""}
_ANIMATION = {**_SHOWN, "Reset": "reset", "Queue": "queue", "Cancel": "cancel"}

RULES = PackRules(
    editor_only=frozenset(("Note Plus (mtb)",)),
    widget_types={"MTB_COLOR": "#ff0000", "FLOAT_CURVE": {"0": {"x": 0, "y": 0}, "1": {"x": 1, "y": 1}}},
    widgets={
        "Animation Builder (mtb)": WidgetRules(added=_ANIMATION, fixed=_SHOWN),
        "Interpolate Clip Sequential (mtb)": WidgetRules(added={"+": "add", "-": "remove"}),
    },
)
