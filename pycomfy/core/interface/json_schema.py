"""Make a pydantic model and a JSON Schema of an interface; validate arguments and apply them to a prompt."""

import copy
import json
import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, create_model

from pycomfy.core.interface.model import FILE_TYPES, Interface, Parameter
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.sentences import shorten
from pycomfy.errors import BadInput, PycomfyError, combine, suggest

MAX_TEXT = 1_000_000

MAX_SHOWN = 200
"""Characters of a wrong value in an error, and of a choice that is compared with it."""


def inputs_model(interface: Interface, name: str = "Inputs") -> type[BaseModel]:
    """Return a model with one field per parameter, all optional: the defaults are the workflow's. Unknown names are
    errors.

    Raises `BadInput` for an interface that makes no sense: a choice without choices.
    """
    # By alias: the name of a parameter may be that of an attribute of every pydantic model.
    fields: dict[str, Any] = {
        f"input_{i}": (_annotation(p), Field(default=p.default, alias=p.name))
        for i, p in enumerate(interface.parameters)
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _refuse_boolean(value: object) -> object:
    """Refuse booleans, which Python takes for 0 and 1."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    return value


def _annotation(parameter: Parameter) -> Any:
    extra: dict[str, JsonValue] = {"x-type": parameter.type}
    if parameter.type in FILE_TYPES:
        extra["format"] = "file"
    if parameter.step is not None:
        extra["x-step"] = parameter.step
    if parameter.multiline:
        extra["x-multiline"] = True
    description: dict[str, Any] = {
        "title": parameter.title or parameter.name,
        "description": parameter.description or None,
        "json_schema_extra": extra,
    }
    match parameter.type:
        case "integer":
            low, high = _finite(parameter.minimum), _finite(parameter.maximum)
            limits = Field(
                ge=None if low is None else math.ceil(low), le=None if high is None else math.floor(high), **description
            )
            kind: Any = Annotated[int, limits, BeforeValidator(_refuse_boolean)]
        case "number":
            low, high = _finite(parameter.minimum), _finite(parameter.maximum)
            limits = Field(ge=low, le=high, allow_inf_nan=False, **description)
            kind = Annotated[float, limits, BeforeValidator(_refuse_boolean)]
        case "boolean":
            kind = Annotated[bool, Field(**description)]
        case "choice":
            kind = Annotated[_literal(parameter), Field(**description)]
        case "json":
            kind = Annotated[JsonValue, Field(**description)]
        case _:
            kind = Annotated[str, Field(max_length=MAX_TEXT, **description)]
    # A workflow may have no value where one is needed; then the caller may leave it out too.
    return kind | None if parameter.default is None and parameter.type != "json" else kind


def _finite(bound: float | None) -> float | None:
    """Return a bound that a schema can have. Packs write infinity where they mean that there is none."""
    return bound if bound is not None and math.isfinite(bound) else None


def _literal(parameter: Parameter) -> Any:
    """The type of the choices. The workflow's own value is one of them even if the server does not list it, such as a
    missing file."""
    own = (parameter.default,) if isinstance(parameter.default, str | int | float) else ()
    values = tuple(dict.fromkeys((*parameter.choices, *own)))
    if not values:
        where = f"interface, input {parameter.name}"
        raise BadInput("a choice without choices", where=where, fix="build the workflow again")
    # `Literal` takes no floats; ComfyUI checks these itself.
    return JsonValue if any(isinstance(v, float) for v in values) else Literal[values]


def inputs_schema(interface: Interface) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the arguments."""
    return inputs_model(interface).model_json_schema()


def check_arguments(interface: Interface, arguments: Mapping[str, object], version: str = "") -> dict[str, Any]:
    """Return the values of `arguments`, converted to the types of their parameters. Raises `BadInput` for all wrong
    ones at once. `version` is the label of the version that has the interface, for fixes."""
    known = {p.name: p for p in interface.parameters}
    model_type = inputs_model(interface)
    try:
        model = model_type.model_validate(dict(arguments))
    except ValidationError as e:
        problems: dict[str, PycomfyError] = {}
        for error in e.errors(include_url=False, include_context=False):
            name = str(error["loc"][0]) if error["loc"] else ""
            if name in known:
                problem = _invalid(known[name], error["type"], error["input"])
            else:
                problem = _unknown(interface, name, version)
            problems.setdefault(name, problem)
        raise combine(list(problems.values())) from e
    return {str(model_type.model_fields[field].alias): getattr(model, field) for field in model.model_fields_set}


def list_inputs(interface: Interface) -> str:
    """Return the inputs in one line, each with its type and range."""
    return ", ".join(f"{p.name} ({describe_type(p)})" for p in interface.parameters) or "none"


def describe_type(parameter: Parameter) -> str:
    """Return the type with the range or the number of choices, as in "integer, 1 to 100"."""
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        return f"{parameter.type}, {low} to {high}"
    if low is not None or high is not None:
        return f"{parameter.type}, {f'at least {low}' if low is not None else f'at most {high}'}"
    return f"{parameter.type}, one of {len(parameter.choices)}" if parameter.choices else parameter.type


def _unknown(interface: Interface, name: str, version: str) -> BadInput:
    close = get_close_matches(name, [p.name for p in interface.parameters], 1)
    meant = f"did you mean {close[0]}? " if close else ""
    note = "lists them with their defaults"
    show = suggest("show", note, reference=version) if version else suggest("show", note)
    return BadInput(
        f"there is no input {name}",
        where=f"inputs.{name}",
        fix=(f"{meant}the inputs are: {list_inputs(interface)}", show),
    )


def _invalid(parameter: Parameter, kind: str, value: object) -> BadInput:
    """`kind` is pydantic's name for what is wrong with `value`."""
    shown = shorten(value if isinstance(value, str) else json.dumps(value, default=str), MAX_SHOWN)
    text = f'"{shown}"' if isinstance(value, str) else shown
    match kind:
        case "greater_than_equal":
            what = f"{text} is less than {parameter.minimum}"
        case "less_than_equal":
            what = f"{text} is more than {parameter.maximum}"
        case "literal_error":
            what = f"{text} is not one of the choices"
        case "string_too_long":
            what = f"a text of more than {MAX_TEXT} characters"
        case _:
            what = f"{text} is not of type {parameter.type}"
    return BadInput(what, where=f"inputs.{parameter.name}", fix=_hint(parameter, value))


def _hint(parameter: Parameter, value: object) -> str:
    if parameter.choices:
        choices = [shorten(str(c), MAX_SHOWN) for c in parameter.choices]
        close = get_close_matches(str(value)[:MAX_SHOWN], choices, 3)
        more = ", …" if len(choices) > 20 else ""
        return "give one of: " + ", ".join(dict.fromkeys([*close, *choices[:20]])) + more
    return f"give a value of type {describe_type(parameter)}"


def apply_arguments(prompt: Prompt, interface: Interface, arguments: Mapping[str, object]) -> Prompt:
    """Return a copy of `prompt` with the arguments in it; parameters without one keep the workflow's value.

    The value of a file parameter is the file's name in ComfyUI's input folder. Raises `BadInput`.
    """
    values = check_arguments(interface, arguments)
    result = copy.deepcopy(prompt)
    for parameter in interface.parameters:
        if parameter.name not in values:
            continue
        value = values[parameter.name]
        for target in parameter.targets:
            if target.node in result:
                result[target.node]["inputs"][target.input] = {"__value__": value} if isinstance(value, list) else value
    return result
