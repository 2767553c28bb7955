"""Define the interface, as in `interface.json`: parameters with types, ranges and defaults; outputs with kinds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from pycomfy.core.validation import describe_error
from pycomfy.errors import BadInput

ParameterType = Literal[
    "text", "integer", "number", "boolean", "choice", "image", "video", "audio", "3d", "file", "json"
]
OutputKind = Literal["image", "video", "audio", "3d", "text", "file"]

FILE_TYPES = frozenset(("image", "video", "audio", "3d", "file"))
"""Types of parameters that take a file from the caller."""

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Model):
    """An input of a node of the prompt."""

    node: str
    input: str


class Parameter(_Model):
    """One parameter. Its value goes into every target; `default` is the workflow's own value."""

    name: ParameterName
    type: ParameterType
    targets: tuple[Target, ...]
    default: JsonValue = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    choices: tuple[str | int | float | bool, ...] = ()
    multiline: bool = False
    title: str = ""
    description: str = ""


class OutputNode(_Model):
    """A node that returns something; `name` is unique among the outputs."""

    name: ParameterName
    kind: OutputKind
    node: str
    title: str = ""


class Interface(_Model):
    """All parameters and outputs of a workflow, in the order for people."""

    version: Literal[1] = 1
    parameters: tuple[Parameter, ...] = Field(default=())
    outputs: tuple[OutputNode, ...] = Field(default=())


MAX_INTERFACE = 16 << 20
"""Characters of an interface; a node's list of choices may be long."""


def parse_interface(text: str, *, where: str = "interface.json") -> Interface:
    """Read an `interface.json`. Raises `BadInput`."""
    if len(text) > MAX_INTERFACE:
        raise BadInput(f"larger than {MAX_INTERFACE >> 20} MiB", where=where, fix="build the workflow again")
    try:
        return Interface.model_validate_json(text)
    except ValidationError as e:
        what = describe_error(e, "the interface")
        raise BadInput(what, where=where, fix="build the workflow again") from e
