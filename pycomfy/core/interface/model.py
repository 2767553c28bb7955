"""Read the interface, as in `interface.json`. What it consists of is defined where it is served: in the gateway."""

from pydantic import ValidationError

from pycomfy.core.validation import describe_error
from pycomfy.errors import BadInput
from pycomfy.gateway.graph.interface import (
    EXAMPLE_FILES,
    FILE_TYPES,
    Interface,
    OutputKind,
    OutputNode,
    Parameter,
    ParameterName,
    ParameterType,
    Target,
)

__all__ = [
    "EXAMPLE_FILES",
    "FILE_TYPES",
    "MAX_INTERFACE",
    "Interface",
    "OutputKind",
    "OutputNode",
    "Parameter",
    "ParameterName",
    "ParameterType",
    "Target",
    "parse_interface",
]

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
