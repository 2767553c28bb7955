"""Define the requirements of a workflow: its nodes, models and input files."""

from dataclasses import dataclass
from typing import Literal

from pycomfy.core.workflow.model import Input, Output

State = Literal["runs", "muted", "bypassed", "left-out"]
"""Whether a node runs. One that is left out has a type that the server lacks, and nothing can be linked to it."""

InputKind = Literal["image", "video", "audio", "3d", "file"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the workflow states about a node's pack: its id in the registry (`comfy-core` is ComfyUI), or its
    repository."""

    cnr_id: str | None = None
    aux_id: str | None = None
    version: str | None = None
    """A version, a commit (40 hexadecimal digits), or None where the file has neither."""


@dataclass(frozen=True, slots=True)
class RequiredNode:
    """A node; `title` is the type where the user gave no title. It is `apart` if nothing can come in or go out of it
    and it names no pack: if nothing provides its type, it exists in the editor only. `inputs` and `outputs` are those
    that were saved."""

    id: str
    type: str
    title: str
    state: State
    pack: Provenance | None = None
    apart: bool = False
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class RequiredModel:
    """A model file: `name` below the model folder `folder`, which is None where no rule determines it."""

    folder: str | None
    name: str
    node: str
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class RequiredFile:
    """A file of the user that the input `input` of a node reads, from ComfyUI's `input` (or `output`, `temp`)
    folder."""

    name: str
    kind: InputKind
    node: str
    input: str
    folder: str = "input"


@dataclass(frozen=True, slots=True)
class WorkflowRequirements:
    """All that a workflow requires."""

    nodes: tuple[RequiredNode, ...]
    models: tuple[RequiredModel, ...]
    files: tuple[RequiredFile, ...]

    @property
    def types(self) -> tuple[str, ...]:
        """The node types that can run, sorted."""
        return tuple(sorted({n.type for n in self.nodes if n.state == "runs"}))
