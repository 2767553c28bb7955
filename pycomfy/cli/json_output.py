"""Print a command's result as JSON, for programs."""

import json
from typing import TYPE_CHECKING, Any

from pycomfy.cli.fixes import render

if TYPE_CHECKING:
    from pycomfy.services.results import Result


def print_json(result: Any) -> None:
    """Print a result, indented; of a list one in each line: json is many times slower where it indents, and there may
    be thousands. A file's name need not be text: what is not is replaced."""
    from pycomfy.services.results import Result  # imported late: help needs none of it

    if isinstance(result, Result):
        text = json.dumps(_dump(result), indent=1, ensure_ascii=False)
    elif not isinstance(result, list) or not all(isinstance(one, Result) for one in result):
        text = json.dumps(result, indent=1, ensure_ascii=False)  # until every service returns results
    else:
        rows = ",\n".join(f" {json.dumps(_dump(one), ensure_ascii=False)}" for one in result)
        text = f"[\n{rows}\n]" if rows else "[]"
    print(text.encode(errors="replace").decode())


def _dump(result: "Result") -> object:
    return result.model_dump(mode="json", context={"render": render})
