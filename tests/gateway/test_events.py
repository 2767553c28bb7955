import json
import tempfile
from typing import Any

from pycomfy.gateway.events import MAX_TEXT, Printer


def printed(event: dict[str, object]) -> Any:
    with tempfile.TemporaryFile() as file:
        Printer(file.fileno())(event)
        file.seek(0)
        (line,) = file.read().splitlines()
    return json.loads(line, parse_constant=lambda text: f"not JSON: {text}")


def test_numbers_that_json_does_not_have_are_null() -> None:
    value = {"a": [1.5, float("nan"), (float("inf"),)], "b": 10**400}
    assert printed({"event": "value", "value": value})["value"] == {"a": [1.5, None, [None]], "b": 10**400}


def test_a_long_text_is_cut() -> None:
    assert printed({"event": "error", "message": "x" * (MAX_TEXT + 5)})["message"] == "x" * MAX_TEXT
