"""Read inputs as a user writes them: the text after `NAME=`, by the parameter's type."""

from pycomfy.core.interface.model import FILE_TYPES, Parameter
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadInput, BadWorkflow

STREAM = "-"


def find_source(parameter: Parameter, text: str) -> str | None:
    """Return the file to read the value from, `-` for standard input; None where `text` is the value itself.

    `@FILE` names a file for every type; the text of a file parameter always does. `@@` begins a text with an `@`.
    """
    is_file = parameter.type in FILE_TYPES
    if text.startswith("@"):
        return None if text.startswith("@@") and not is_file else text[1:]
    return text if is_file else None


def read_value(parameter: Parameter, text: str) -> object:
    """Return the value that `text` stands for. Numbers and booleans stay texts; `check_arguments` parses them.

    Raises `BadInput` where JSON is needed and `text` is not JSON.
    """
    match parameter.type:
        case "choice":
            values = [*parameter.choices, *([parameter.default] if parameter.default is not None else [])]
            return next((v for v in values if _as_text(v) == text), text)
        case "json":
            try:
                return parse_json(text, where=parameter.name)
            except BadWorkflow as e:
                where = f"inputs.{parameter.name}"
                raise BadInput(e.what, where=where, fix='write JSON, such as [1, 2] or "a text"') from e
        case _:
            return text


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
