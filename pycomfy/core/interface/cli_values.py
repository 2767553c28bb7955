"""Inputs as a person writes them: the text after NAME=, read as the parameter's type says."""

from pycomfy.core.interface.model import FILE_TYPES, Parameter
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadInput, BadWorkflow

STREAM = "-"


def find_source(parameter: Parameter, text: str) -> str | None:
    """The file that `text` says to read, `-` for standard input; None where it is the value itself.

    `@file` is one for every type; a file parameter's text always names one. `@@` begins a text with an `@`.
    """
    is_file = parameter.type in FILE_TYPES
    if text.startswith("@"):
        return None if text.startswith("@@") and not is_file else text[1:]
    return text if is_file else None


def read_value(parameter: Parameter, text: str) -> object:
    """The value that `text` means. Numbers and truth values stay texts, which `check_arguments` reads.

    Raises `BadInput` where JSON is needed, and it is none.
    """
    match parameter.type:
        case "choice":
            values = [*parameter.choices, *([parameter.default] if parameter.default is not None else [])]
            return next((v for v in values if _written(v) == text), text)
        case "json":
            try:
                return parse_json(text, where=parameter.name)
            except BadWorkflow as e:
                where = f"inputs.{parameter.name}"
                raise BadInput(e.what, where=where, fix='write JSON, such as [1, 2] or "a text"') from e
        case _:
            return text


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
