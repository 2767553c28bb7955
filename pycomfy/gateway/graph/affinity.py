"""Which jobs go well together: those that use the same models, which a worker has loaded already."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_SUFFIXES = frozenset((".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".engine"))


def find_affinity(graph: Mapping[str, Any]) -> str:
    """A name for the set of models that the graph loads; empty if it loads none."""
    models = {
        value
        for entry in graph.values()
        for value in _inputs(entry).values()
        if isinstance(value, str) and len(value) < 1000 and PurePosixPath(value).suffix.lower() in _SUFFIXES
    }
    return hashlib.sha256("\n".join(sorted(models)).encode("utf-8", "surrogatepass")).hexdigest()[:16] if models else ""


def _inputs(entry: Any) -> Mapping[str, Any]:
    inputs = entry.get("inputs") if isinstance(entry, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}
