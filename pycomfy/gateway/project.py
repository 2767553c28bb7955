"""The image's own project: its workflow, graph, interface and lock."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .graph.interface import Interface
from .places import Places


@dataclass(frozen=True)
class Project:
    """`graph` is in the API format, `workflow` in the editor's; each is None where the image has none. The hashes are
    SHA-256 of the files' bytes."""

    graph: dict[str, Any] | None = None
    workflow: dict[str, Any] | None = None
    interface: dict[str, Any] | None = None
    lock: dict[str, Any] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def inputs_and_outputs(self) -> Interface:
        """The interface, checked. Raises `pydantic.ValidationError`."""
        return Interface.model_validate(self.interface or {})

    @property
    def name(self) -> str:
        return str(self.lock.get("name") or "workflow")


def read_project(places: Places) -> Project:
    """What is there of the project; a file that is missing or no JSON object is left out."""
    hashes: dict[str, str] = {}

    def read(name: str) -> dict[str, Any] | None:
        try:
            data = (places.project / name).read_bytes()
            value = json.loads(data)
        except (OSError, ValueError, RecursionError):
            return None
        hashes[name] = hashlib.sha256(data).hexdigest()
        return value if isinstance(value, dict) else None

    return Project(
        read("prompt.json"), read("workflow.json"), read("interface.json"), read("pycomfy.lock") or {}, hashes
    )
