"""The workflow's interface: named, typed parameters that become values of a graph.

pycomfy makes the interface and reads it, too: this is its one definition.
"""

import copy
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    create_model,
)

from .values import check_plain

ParameterType = Literal[
    "text", "integer", "number", "boolean", "choice", "image", "video", "audio", "3d", "file", "json"
]
OutputKind = Literal["image", "video", "audio", "3d", "text", "file"]

FILE_TYPES = frozenset(("image", "video", "audio", "3d", "file"))
"""Types of parameters that take a file from the caller."""

EXAMPLE_FILES = {"image": "photo.png", "video": "clip.mp4", "audio": "sound.wav", "3d": "model.glb", "file": "file.bin"}
"""Names of a caller's files in examples, by the type of the parameter."""

MAX_TEXT = 1_000_000

SEEDS = frozenset(("seed", "noise_seed"))
"""Inputs that ComfyUI's editor draws at random unless it is told not to."""

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Model):
    """An input of a node of the graph."""

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

    @property
    def is_seed(self) -> bool:
        return self.type == "integer" and any(target.input in SEEDS for target in self.targets)


class OutputNode(_Model):
    """A node that returns something; `name` is unique among the outputs."""

    name: ParameterName
    kind: OutputKind
    node: str
    title: str = ""


class Interface(_Model):
    """All parameters and outputs of a workflow, in the order for people. `title` and `description` are what its author
    says of it; the title is empty where its name is one."""

    version: Literal[1] = 1
    title: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = Field(default=())
    outputs: tuple[OutputNode, ...] = Field(default=())


class BadInterface(ValueError):
    """An interface that makes no sense: a choice without choices. `parameter` is its name."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"the input {parameter} is a choice without choices")
        self.parameter = parameter


def inputs_model(
    interface: Interface, name: str = "Inputs", *, files: Any = str, seeds: bool = False
) -> type[BaseModel]:
    """A model with one field per parameter, all optional: the defaults are the workflow's. Unknown names are errors.

    `files` is the type of the parameters that take a file; with `seeds`, a seed may be -1 or null, to be drawn. Fields
    have their parameter's name as alias: it may be that of an attribute of every model. Raises `BadInterface`.
    """
    fields: dict[str, Any] = {
        f"input_{i}": (_annotation(p, files, seeds=seeds), Field(default=p.default, alias=p.name))
        for i, p in enumerate(interface.parameters)
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def given_values(model: BaseModel) -> dict[str, Any]:
    """The values that were given, by the name of their parameter."""
    fields = type(model).model_fields
    return {str(fields[field].alias): getattr(model, field) for field in model.model_fields_set}


def set_values(graph: Mapping[str, Any], interface: Interface, values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `graph` with `values` by name in it; parameters without one keep the workflow's value."""
    result = copy.deepcopy(dict(graph))
    for parameter in interface.parameters:
        if parameter.name not in values:
            continue
        value = values[parameter.name]
        for target in parameter.targets:
            if target.node in result:
                # A list would be taken for a link.
                result[target.node]["inputs"][target.input] = {"__value__": value} if isinstance(value, list) else value
    return result


def find_values(graph: Mapping[str, Any], parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The values that the parameters have in a graph."""
    found = {}
    for parameter in parameters:
        for target in parameter.targets:
            inputs = graph.get(target.node, {}).get("inputs", {})
            if target.input in inputs:
                found[parameter.name] = inputs[target.input]
                break
    return found


def _refuse_boolean(value: object) -> object:
    """Refuse booleans, which Python takes for 0 and 1."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    return value


def _refuse_below(least: int) -> Callable[[int], int]:
    """Refuse seeds between -1 and the least that the node takes."""

    def check(value: int) -> int:
        if -1 < value < least:
            raise ValueError(f"Input should be -1, or greater than or equal to {least}")
        return value

    return check


def _annotation(parameter: Parameter, files: Any, *, seeds: bool) -> Any:
    extra: dict[str, JsonValue] = {"x-type": parameter.type}
    if parameter.type in FILE_TYPES and files is str:
        extra["format"] = "file"
    if parameter.step is not None:
        extra["x-step"] = parameter.step
    if parameter.multiline:
        extra["x-multiline"] = True
    drawn = seeds and parameter.is_seed
    text = parameter.description
    if drawn:
        text = f"{text} -1 or null: drawn at random, and reported.".strip()
    description: dict[str, Any] = {
        "title": parameter.title or parameter.name,
        "description": text or None,
        "json_schema_extra": extra,
    }
    match parameter.type:
        case "integer":
            low, high = _finite(parameter.minimum), _finite(parameter.maximum)
            least = None if low is None else math.ceil(low)
            limits = Field(
                ge=min(-1, least) if drawn and least is not None else least,
                le=None if high is None else math.floor(high),
                **description,
            )
            kind: Any = Annotated[int, limits, BeforeValidator(_refuse_boolean)]
            if drawn and least is not None and least > 0:
                kind = Annotated[kind, AfterValidator(_refuse_below(least))]
        case "number":
            low, high = _finite(parameter.minimum), _finite(parameter.maximum)
            limits = Field(ge=low, le=high, allow_inf_nan=False, **description)
            kind = Annotated[float, limits, BeforeValidator(_refuse_boolean)]
        case "boolean":
            kind = Annotated[bool, Field(**description)]
        case "choice":
            kind = Annotated[_literal(parameter), Field(**description)]
        case "json":
            kind = Annotated[JsonValue, AfterValidator(check_plain), Field(**description)]
        case "text":
            kind = Annotated[str, Field(max_length=MAX_TEXT, **description)]
        case _ if files is not str:
            kind = Annotated[files, Field(**description)]
        case _:
            kind = Annotated[str, Field(max_length=MAX_TEXT, **description)]
    # A workflow may have no value where one is needed; then the caller may leave it out too.
    optional = (parameter.default is None and parameter.type != "json") or drawn
    return kind | None if optional else kind


def _finite(bound: float | None) -> float | None:
    """A bound that a schema can have. Packs write infinity where they mean that there is none, or an integer that is
    more than any float."""
    return bound if bound is not None and abs(bound) <= sys.float_info.max else None


def _literal(parameter: Parameter) -> Any:
    """The type of the choices. The workflow's own value is one of them even if the server does not list it, such as a
    missing file."""
    own = (parameter.default,) if isinstance(parameter.default, str | int | float) else ()
    values = tuple(dict.fromkeys((*parameter.choices, *own)))
    if not values:
        raise BadInterface(parameter.name)
    # `Literal` takes no floats; ComfyUI checks these itself.
    if any(isinstance(v, float) for v in values):
        return Annotated[JsonValue, AfterValidator(check_plain)]
    return Literal[values]
