"""The interface as a pydantic model, a JSON Schema and OpenAPI; and arguments put into a prompt."""

import copy
import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, create_model

from pycomfy.core.interface.model import FILE_TYPES, Interface, Parameter
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadInput, PycomfyError, raise_all

MAX_TEXT = 1_000_000


def inputs_model(interface: Interface, name: str = "Inputs") -> type[BaseModel]:
    """A model with one field per parameter, all optional: the defaults are the workflow's. Unknown names are errors.

    Raises `BadInput` for an interface that makes no sense: a choice between nothing.
    """
    # Known by an alias: a parameter may be called like something that every pydantic model has.
    fields: dict[str, Any] = {
        f"input_{i}": (_annotation(p), Field(default=p.default, alias=p.name))
        for i, p in enumerate(interface.parameters)
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _no_boolean(value: object) -> object:
    """To Python, true is 1."""
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")
    return value


def _annotation(parameter: Parameter) -> Any:
    extra: dict[str, JsonValue] = {"x-type": parameter.type}
    if parameter.type in FILE_TYPES:
        extra["format"] = "file"
    if parameter.step is not None:
        extra["x-step"] = parameter.step
    if parameter.multiline:
        extra["x-multiline"] = True
    about: dict[str, Any] = {
        "title": parameter.title or parameter.name,
        "description": parameter.description or None,
        "json_schema_extra": extra,
    }
    match parameter.type:
        case "integer":
            limits = Field(ge=parameter.minimum, le=parameter.maximum, **about)
            kind: Any = Annotated[int, limits, BeforeValidator(_no_boolean)]
        case "number":
            limits = Field(ge=parameter.minimum, le=parameter.maximum, allow_inf_nan=False, **about)
            kind = Annotated[float, limits, BeforeValidator(_no_boolean)]
        case "boolean":
            kind = Annotated[bool, Field(**about)]
        case "choice":
            kind = Annotated[_literal(parameter), Field(**about)]
        case "json":
            kind = Annotated[JsonValue, Field(**about)]
        case _:
            kind = Annotated[str, Field(max_length=MAX_TEXT, **about)]
    # A workflow may hold nothing where a value is needed; then the caller may leave it out as well.
    return kind | None if parameter.default is None and parameter.type != "json" else kind


def _literal(parameter: Parameter) -> Any:
    """The choices. The workflow's own value is one even where the server does not list it: a file that is missing."""
    own = (parameter.default,) if isinstance(parameter.default, str | int | float) else ()
    values = tuple(dict.fromkeys((*parameter.choices, *own)))
    if not values:
        where = f"interface, input {parameter.name}"
        raise BadInput("a choice between nothing", where=where, fix="build the workflow again")
    # A float cannot be a literal; ComfyUI checks these itself.
    return JsonValue if any(isinstance(v, float) for v in values) else Literal[values]


def inputs_schema(interface: Interface) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the arguments."""
    return inputs_model(interface).model_json_schema()


def openapi_fragment(interface: Interface) -> dict[str, Any]:
    """`components.schemas` with `Inputs` and `Outputs`, to be merged into an OpenAPI 3.1 document."""
    schema = inputs_model(interface).model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    item = {
        "type": "object",
        "required": ["url", "media_type"],
        "properties": {
            "url": {"type": "string", "format": "uri-reference"},
            "media_type": {"type": "string"},
            "sha256": {"type": "string"},
            "size": {"type": "integer"},
        },
    }
    outputs = {
        o.name: {"type": "array", "title": o.title or o.name, "items": item, "x-kind": o.kind}
        for o in interface.outputs
    }
    schemas = {"Inputs": schema, "Outputs": {"type": "object", "properties": outputs}, **definitions}
    return {"components": {"schemas": schemas}}


def check_arguments(interface: Interface, arguments: Mapping[str, object]) -> dict[str, Any]:
    """The values of `arguments`, as the types of their parameters. Raises `BadInput`, all at once."""
    known = {p.name: p for p in interface.parameters}
    model_type = inputs_model(interface)
    try:
        model = model_type.model_validate(dict(arguments))
    except ValidationError as e:
        problems: dict[str, PycomfyError] = {}
        for error in e.errors(include_url=False, include_context=False):
            name = str(error["loc"][0]) if error["loc"] else ""
            problem = _bad(known[name], error["type"], error["input"]) if name in known else _unknown(interface, name)
            problems.setdefault(name, problem)
        raise_all(list(problems.values()))
        raise
    return {str(model_type.model_fields[field].alias): getattr(model, field) for field in model.model_fields_set}


def list_inputs(interface: Interface) -> str:
    """The inputs in one line, each with its type and range."""
    return ", ".join(f"{p.name} ({describe_type(p)})" for p in interface.parameters) or "none"


def describe_type(parameter: Parameter) -> str:
    """The type with the range or the number of choices, as in "integer, 1 to 100"."""
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        return f"{parameter.type}, {low} to {high}"
    if low is not None or high is not None:
        return f"{parameter.type}, {f'at least {low}' if low is not None else f'at most {high}'}"
    return f"{parameter.type}, one of {len(parameter.choices)}" if parameter.choices else parameter.type


def _unknown(interface: Interface, name: str) -> BadInput:
    near = get_close_matches(name, [p.name for p in interface.parameters], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return BadInput(
        f"there is no input {shown(name)}",
        where=f"inputs.{shown(name)}",
        fix=f"{meant}`pycomfy show` lists the inputs: {list_inputs(interface)}",
    )


def _bad(parameter: Parameter, kind: str, value: object) -> BadInput:
    """`kind` is pydantic's name for what is wrong with `value`."""
    given = value if isinstance(value, str) else json.dumps(value, default=str)
    given = f'"{shown(given)}"' if isinstance(value, str) else shown(given)
    match kind:
        case "greater_than_equal":
            what = f"{given} is less than {parameter.minimum}"
        case "less_than_equal":
            what = f"{given} is more than {parameter.maximum}"
        case "literal_error":
            what = f"{given} is none of the choices"
        case "string_too_long":
            what = f"a text of more than {MAX_TEXT} characters"
        case _:
            what = f"{given} is not of type {parameter.type}"
    return BadInput(what, where=f"inputs.{parameter.name}", fix=_hint(parameter, value))


def _hint(parameter: Parameter, value: object) -> str:
    if parameter.choices:
        choices = [shown(str(c)) for c in parameter.choices]
        near = get_close_matches(str(value)[:200], choices, 3)
        more = ", …" if len(choices) > 20 else ""
        return "give one of: " + ", ".join(dict.fromkeys([*near, *choices[:20]])) + more
    return f"give a value of type {describe_type(parameter)}"


def apply_arguments(prompt: Prompt, interface: Interface, arguments: Mapping[str, object]) -> Prompt:
    """A copy of `prompt` with the arguments in it; what is not given keeps the workflow's value.

    The value of a file parameter is the name that the file has in ComfyUI's input folder. Raises `BadInput`.
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
