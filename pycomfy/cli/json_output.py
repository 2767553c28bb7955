"""Print JSON, for programs."""

import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycomfy.cli.fixes import render
from pycomfy.cli.terminal import print_text
from pycomfy.core.printable import is_printable

if TYPE_CHECKING:
    from pycomfy.services.results import Result

_UNUSUAL = re.compile(r"[^ -~\n]")


def print_json(result: "Result | Sequence[Result]") -> None:
    """Print a result, indented; of several one in each line, as there may be thousands, and json is many times slower
    where it indents."""
    if not isinstance(result, Sequence):
        text = _indented(result)
    else:
        rows = ",\n".join(f" {json.dumps(_dump(one), ensure_ascii=False)}" for one in result)
        text = f"[\n{rows}\n]" if rows else "[]"
    print_json_text(text)


def print_json_line(result: "Result") -> None:
    """Print a result in one line: one of many, each of which is printed when it is known."""
    print_json_value(_dump(result))


def print_json_value(value: object) -> None:
    """Print a value in one line."""
    print_json_text(json.dumps(value, ensure_ascii=False))


def print_json_text(text: str) -> None:
    """Print a JSON text so that nothing in it acts on a terminal.

    A character that does not print, or that standard output cannot encode, is escaped as `\\uXXXX`: the same value to
    a program. So are the bytes of a file's name that are not UTF-8: Python's surrogates U+DC80 to U+DCFF.
    """
    unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    print_text(_UNUSUAL.sub(lambda m: m[0] if unicode and is_printable(m[0]) else json.dumps(m[0])[1:-1], text))


def _indented(result: "Result") -> str:
    """As `json.dumps` would with `indent=1`, several times faster: a large workflow has a hundred thousand values."""
    try:
        return result.model_dump_json(indent=1, context={"render": render})
    except ValueError:  # a text that is no Unicode, such as the name of a file
        return json.dumps(_dump(result), indent=1, ensure_ascii=False)


def _dump(result: "Result") -> object:
    return result.model_dump(mode="json", context={"render": render})
