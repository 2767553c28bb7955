"""What is in a node of a graph, and in ComfyUI's `/object_info` of its type, that may have any shape."""

from collections.abc import Mapping
from typing import Any


def find_inputs(entry: Any) -> Mapping[str, Any]:
    """The inputs of a node; nothing where it has none, or is no node."""
    inputs = entry.get("inputs") if isinstance(entry, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def find_type(entry: Any, node_types: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ComfyUI says of the type of a node; nothing where it does not know it, or there is none."""
    described = node_types.get(str(entry.get("class_type"))) if isinstance(entry, Mapping) else None
    return described if isinstance(described, Mapping) else {}


def is_output(entry: Any, node_types: Mapping[str, Any]) -> bool:
    """Whether it is a node that ComfyUI runs for its own sake."""
    return bool(find_type(entry, node_types).get("output_node"))
