"""What is in a node of a graph that may have any shape."""

from collections.abc import Mapping
from typing import Any


def find_inputs(entry: Any) -> Mapping[str, Any]:
    """The inputs of a node; nothing where it has none, or is no node."""
    inputs = entry.get("inputs") if isinstance(entry, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}
