"""Print a command's result as JSON, for programs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycomfy.cli.fixes import render

if TYPE_CHECKING:
    from pycomfy.services.results import Result


def print_json(result: "Result | Sequence[Result]") -> None:
    """Print a result, indented; of several one in each line, as there may be thousands, and json is many times slower
    where it indents. A file's name need not be text: what is not is replaced."""
    if not isinstance(result, Sequence):
        text = json.dumps(_dump(result), indent=1, ensure_ascii=False)
    else:
        rows = ",\n".join(f" {json.dumps(_dump(one), ensure_ascii=False)}" for one in result)
        text = f"[\n{rows}\n]" if rows else "[]"
    print(text.encode(errors="replace").decode())


def _dump(result: "Result") -> object:
    return result.model_dump(mode="json", context={"render": render})
