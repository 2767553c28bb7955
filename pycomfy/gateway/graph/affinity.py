"""Which jobs go well together: those that use the same models, which a worker has loaded already."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from .nodes import find_inputs

_SUFFIXES = frozenset((".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".engine"))


def find_affinity(graph: Mapping[str, Any]) -> str:
    """A name for the set of models that the graph loads; empty if it loads none."""
    models = {value for entry in graph.values() for value in find_inputs(entry).values() if names_model(value)}
    return hashlib.sha256("\n".join(sorted(models)).encode("utf-8", "surrogatepass")).hexdigest()[:16] if models else ""


def names_model(value: object) -> TypeGuard[str]:
    """Whether the value is the name of a file with weights."""
    return isinstance(value, str) and len(value) < 1000 and PurePosixPath(value).suffix.lower() in _SUFFIXES
