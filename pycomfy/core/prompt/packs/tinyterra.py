"""ComfyUI_tinyterraNodes: nodes that show a text, which is sent."""

from pycomfy.core.prompt.packs.rules import PackRules, WidgetRules

_SHOWING = (
    *("ttN advPlot range", "ttN advPlot string", "ttN advPlot combo", "ttN advPlot merge"),
    *("ttN debugInput", "ttN textOutput"),
)
_DISPLAY = {"display": ""}

RULES = PackRules(
    widgets={
        **dict.fromkeys(_SHOWING, WidgetRules(added=_DISPLAY)),
        "ttN textDebug": WidgetRules(added=_DISPLAY, fixed=_DISPLAY),
    }
)
