"""What of two prompts must be equal."""

from collections.abc import Mapping
from typing import Any

FRONTEND_ONLY = ("audioUI", "refresh")


def comparable(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Classes and inputs. Titles are left out: the frontend translates those of nodes that have none of their own."""
    return {
        id_: (
            node.get("class_type"),
            {k: v for k, v in node["inputs"].items() if k not in FRONTEND_ONLY and not k.startswith("preview")},
        )
        for id_, node in prompt.items()
    }
