"""The interface as a pydantic model, a JSON Schema and OpenAPI; and arguments put into a prompt."""

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from pycomfy.errors import BadInput, PycomfyError, raise_all
from pycomfy.flow.interface.model import FILE_TYPES, Interface, Parameter
from pycomfy.flow.prompt.convert import Prompt

MAX_TEXT = 1_000_000


def inputs_model(interface: Interface, name: str = "Inputs") -> type[BaseModel]:
    """A model with one field per parameter, all optional: the defaults are the workflow's. Unknown names are errors."""
    fields: dict[str, Any] = {p.name: (_annotation(p), p.default) for p in interface.parameters}
    return create_model(name, __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)


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
            kind: Any = Annotated[int, Field(ge=parameter.minimum, le=parameter.maximum, **about)]
        case "number":
            kind = Annotated[float, Field(ge=parameter.minimum, le=parameter.maximum, allow_inf_nan=False, **about)]
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
    values = list(dict.fromkeys([*parameter.choices, parameter.default]))
    allowed = tuple(v for v in values if isinstance(v, (str, int, bool)))
    return Literal[allowed] if len(allowed) == len([v for v in values if v is not None]) else JsonValue


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
    try:
        model = inputs_model(interface).model_validate(dict(arguments))
    except ValidationError as e:
        names = ", ".join(p.name for p in interface.parameters) or "none"
        problems: list[PycomfyError] = []
        for error in e.errors():
            name = str(error["loc"][0]) if error["loc"] else ""
            if error["type"] == "extra_forbidden":
                problems.append(
                    BadInput(f"there is no input {name}", where=f"inputs.{name}", fix=f"inputs are: {names}")
                )
            else:
                problems.append(BadInput(str(error["msg"]), where=f"inputs.{name}", fix=_hint(interface, name)))
        raise_all(problems)
        raise
    return {name: getattr(model, name) for name in model.model_fields_set}


def _hint(interface: Interface, name: str) -> str:
    parameter = next((p for p in interface.parameters if p.name == name), None)
    if parameter is None:
        return ""
    if parameter.choices:
        return "one of: " + ", ".join(str(c) for c in parameter.choices[:20])
    hint = f"a value of type {parameter.type}"
    if parameter.minimum is not None or parameter.maximum is not None:
        hint += f" from {parameter.minimum} to {parameter.maximum}"
    return hint


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
