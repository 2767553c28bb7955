"""The interface: parameters with their types, ranges and defaults; outputs with their kinds; as in `interface.json`."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from pycomfy.errors import BadInput

ParameterType = Literal[
    "text", "integer", "number", "boolean", "choice", "image", "video", "audio", "3d", "file", "json"
]
OutputKind = Literal["image", "video", "audio", "3d", "text", "file"]

FILE_TYPES = frozenset(("image", "video", "audio", "3d", "file"))
"""Parameters whose value is a file of the caller's."""

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Model):
    """An input of a node of the prompt."""

    node: str
    input: str


class Parameter(_Model):
    """One parameter. Its value is put into every target; `default` is what the workflow holds."""

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
    """A node that returns something, under a name of its own."""

    name: ParameterName
    kind: OutputKind
    node: str
    title: str = ""


class Interface(_Model):
    version: Literal[1] = 1
    parameters: tuple[Parameter, ...] = Field(default=())
    outputs: tuple[OutputNode, ...] = Field(default=())


def render_interface(interface: Interface) -> str:
    """`interface.json`: in the order of the parameters, which is the author's; newline at the end."""
    value = interface.model_dump(mode="json", exclude_defaults=True)
    return json.dumps({"version": interface.version, **value}, indent=1, ensure_ascii=False) + "\n"


def parse_interface(text: str, *, where: str = "interface.json") -> Interface:
    """Read an `interface.json`. Raises `BadInput`."""
    try:
        return Interface.model_validate_json(text)
    except ValidationError as e:
        first = e.errors()[0]
        at = ".".join(str(p) for p in first["loc"])
        raise BadInput(f"{at or 'the file'}: {first['msg']}", where=where, fix="build the workflow again") from e
