"""Values that name files: a stranger with a key gets none but those offered, and those brought along.

ComfyUI joins a loader's value to the path of its input folder as it stands: `../output/x.png`, `/data/x.png` and
`x.png [output]` are other people's files.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .assets import REFERENCE

_ANNOTATED = re.compile(r"\[\w*\]\s*\Z")
_ELSEWHERE = re.compile(r"\A\s*(/|\\|[A-Za-z]:)|(\A|[/\\])\.\.([/\\]|\Z)")


def names_foreign_file(value: Any, described: Any) -> bool:
    """Whether a value names a file that was neither offered nor brought. `described` is the input in `/object_info`;
    of an input that is unknown, what could be nothing but such a name is one. Free texts are not looked at."""
    choices = _find_choices(described)
    if choices is None and isinstance(described, list):
        nested = value if isinstance(value, dict | list) else None
        return any(_is_elsewhere(text) for text in _texts(nested))
    for text in _texts(value):
        if text in (choices or ()):
            continue
        if _is_elsewhere(text) or (choices is not None and ("/" in text or "\\" in text)):
            return True
    return False


def _find_choices(described: Any) -> list[Any] | None:
    """The choices of an input that is a list of names or takes uploads; None for any other."""
    if not isinstance(described, list) or not described:
        return None
    options = described[1] if len(described) > 1 and isinstance(described[1], Mapping) else {}
    if isinstance(described[0], list):
        return described[0]
    given = options.get("options")
    uploads = any(str(key).endswith("_upload") and value for key, value in options.items())
    return (given if isinstance(given, list) else []) if described[0] == "COMBO" or uploads else None


def _is_elsewhere(text: str) -> bool:
    return _ANNOTATED.search(text) is not None or _ELSEWHERE.search(text) is not None


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, but in references to assets."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict) and value.get("__type") != REFERENCE:
            pending += value.values()
        elif isinstance(value, list):
            pending += value
