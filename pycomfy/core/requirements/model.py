"""What a workflow needs, as a list for each kind of thing."""

from dataclasses import dataclass
from typing import Literal

State = Literal["runs", "muted", "bypassed"]
InputKind = Literal["image", "video", "audio", "3d", "file"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the workflow says of a node's pack: its id in the registry (`comfy-core` is ComfyUI), or its repository."""

    cnr_id: str | None = None
    aux_id: str | None = None
    version: str | None = None
    """A version, a commit (40 hexadecimal digits), or None where the file says nothing usable."""


@dataclass(frozen=True, slots=True)
class RequiredNode:
    id: str
    type: str
    title: str
    state: State
    pack: Provenance | None = None


@dataclass(frozen=True, slots=True)
class RequiredModel:
    """A model file: `name` below the model folder `folder`; None where no rule says which folder that is."""

    folder: str | None
    name: str
    node: str
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class RequiredFile:
    """A file of the user's that input `input` of a node reads, from ComfyUI's `input` (or `output`, `temp`) folder."""

    name: str
    kind: InputKind
    node: str
    input: str
    folder: str = "input"


@dataclass(frozen=True, slots=True)
class WorkflowRequirements:
    nodes: tuple[RequiredNode, ...]
    models: tuple[RequiredModel, ...]
    files: tuple[RequiredFile, ...]

    @property
    def types(self) -> tuple[str, ...]:
        """The node types that can run, sorted."""
        return tuple(sorted({n.type for n in self.nodes if n.state == "runs"}))
