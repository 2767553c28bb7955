"""ComfyUI-Custom-Scripts (pysssss): nodes that show results, and nodes of the editor alone."""

import json
from collections.abc import Mapping

from pycomfy.core.prompt.packs.rules import PackRules, WidgetRules
from pycomfy.core.workflow.model import Node

_EXAMPLE = WidgetRules(added={"example": ""})


def _show_text(node: Node) -> Mapping[str, object]:
    """The texts that were shown last, each in a widget; an empty first one is the node's own."""
    saved = node.values if isinstance(node.values, tuple) else ()
    shown = saved if saved and saved[0] else saved[1:]
    texts = [text for one in shown for text in (one if isinstance(one, list) else [one])]
    return {f"text_{i}": text if isinstance(text, str) else json.dumps(text) for i, text in enumerate(texts)}


RULES = PackRules(
    editor_only=frozenset(("PresetText|pysssss",)),
    own_values={"ShowText|pysssss": _show_text},
    widgets={
        "ShowText|pysssss": WidgetRules(shown=frozenset("*")),
        "LoraLoader|pysssss": _EXAMPLE,
        "CheckpointLoader|pysssss": _EXAMPLE,
    },
)
