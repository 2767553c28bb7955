"""ComfyUI-Custom-Scripts (pysssss): nodes that show results, and nodes of the editor alone."""

from pycomfy.core.prompt.packs.rules import PackRules, WidgetRules

_EXAMPLE = WidgetRules(added={"example": ""})

RULES = PackRules(
    editor_only=frozenset(("PresetText|pysssss",)),
    widgets={
        "ShowText|pysssss": WidgetRules(shown=frozenset("*")),
        "LoraLoader|pysssss": _EXAMPLE,
        "CheckpointLoader|pysssss": _EXAMPLE,
    },
)
