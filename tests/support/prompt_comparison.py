"""What of two prompts must be equal."""

import json
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


def without_ids(prompt: Mapping[str, Any]) -> list[str]:
    """A prompt whose links name the class of their source: what is left to compare where the frontend gave nodes of a
    subgraph new ids."""

    def named(value: Any) -> Any:
        is_linked = isinstance(value, list) and len(value) == 2 and value[0] in prompt
        return ["link", prompt[value[0]]["class_type"], value[1]] if is_linked else value

    return sorted(
        json.dumps([class_, {k: named(v) for k, v in inputs.items()}], sort_keys=True)
        for class_, inputs in comparable(prompt).values()
    )
