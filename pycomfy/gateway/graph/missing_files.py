"""Files that a graph names and that are not in ComfyUI's folders: of those, ComfyUI says so only when the job runs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .branches import find_needed
from .nodes import find_inputs, is_output
from .policy import describe_input

_ANNOTATED = re.compile(r"(.*) \[(input|output|temp)\]", re.DOTALL)


@dataclass(frozen=True)
class MissingFile:
    """An input of a node, and the name that it has there."""

    node: str
    input: str
    name: str


def find_missing_files(
    graph: Mapping[str, Any], node_types: Mapping[str, Any], folders: Mapping[str, Path]
) -> list[MissingFile]:
    """The files that nodes which run would look for in vain, in the graph's order.

    `node_types` is ComfyUI's `/object_info`, `folders` its input, output and temp folder, of which those that are
    missing are not looked at. Only inputs that take uploads are judged, and of those neither addresses nor paths from
    the root, which a node pack may take.
    """
    found = [file for file in _named_files(graph, node_types) if not is_there(file.name, folders)]
    if not found:
        return []
    outputs = [node for node, entry in graph.items() if is_output(entry, node_types)]
    needed = frozenset(find_needed(graph, outputs))
    return [file for file in found if file.node in needed]


def _named_files(graph: Mapping[str, Any], node_types: Mapping[str, Any]) -> Iterator[MissingFile]:
    for node, entry in graph.items():
        for name, value in find_inputs(entry).items():
            if not isinstance(value, str) or "://" in value or value.startswith(("/", "\\")) or "\0" in value:
                continue
            described = describe_input(str(entry.get("class_type")), name, node_types)
            if _takes_uploads(described) and value not in _choices(described):
                yield MissingFile(node, name, value)


def _options(described: Any) -> Mapping[str, Any]:
    options = described[1] if isinstance(described, list) and len(described) > 1 else None
    return options if isinstance(options, Mapping) else {}


def _takes_uploads(described: Any) -> bool:
    return any(str(key).endswith("_upload") and value for key, value in _options(described).items())


def _choices(described: Any) -> list[Any]:
    listed = described[0] if isinstance(described[0], list) else _options(described).get("options")
    return listed if isinstance(listed, list) else []


def is_there(name: str, folders: Mapping[str, Path]) -> bool:
    """Whether ComfyUI would find a file of this name, which may end with the folder in brackets."""
    annotated = _ANNOTATED.fullmatch(name)
    inner, kind = annotated.groups() if annotated else (name, "input")
    if kind not in folders:
        return True
    try:
        return (folders[kind] / inner).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
