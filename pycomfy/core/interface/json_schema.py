"""Make a pydantic model and a JSON Schema of an interface; validate arguments and apply them to a prompt."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from pycomfy.core.interface.model import Interface, Parameter
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.sentences import shorten
from pycomfy.errors import BadInput, PycomfyError, combine, suggest
from pycomfy.gateway.graph.interface import MAX_TEXT, BadInterface, given_values, set_values
from pycomfy.gateway.graph.interface import inputs_model as make_inputs_model

MAX_SHOWN = 200
"""Characters of a wrong value in an error, and of a choice that is compared with it."""


def inputs_model(interface: Interface, name: str = "Inputs") -> type[BaseModel]:
    """Return a model with one field per parameter, all optional: the defaults are the workflow's. Unknown names are
    errors.

    Raises `BadInput` for an interface that makes no sense: a choice without choices.
    """
    try:
        return make_inputs_model(interface, name)
    except BadInterface as e:
        where = f"interface, input {e.parameter}"
        raise BadInput("a choice without choices", where=where, fix="build the workflow again") from e


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
    return given_values(model)


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
    return set_values(prompt, interface, check_arguments(interface, arguments))
