"""Values that a caller sends as JSON: what the store, ComfyUI and its cache can hold, and nothing that passes for a
link."""

import math
from typing import Any

MAX_DEPTH = 64
MOST = 2**64
"""Numbers beyond are no seeds, and no number that a node takes."""

_WRAPPED = "__value__"


def check_values(value: Any) -> Any:
    """The value as it is. Raises `ValueError` for one that is too deep, has half a character (a surrogate), or a number
    that JSON does not have or nothing takes."""
    pending = [(value, 0)]
    while pending:
        value_, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"lists and objects are more than {MAX_DEPTH} deep")
        match value_:
            case str():
                _check_text(value_)
            case bool() | None:
                pass
            case int() if abs(value_) > MOST:
                raise ValueError("a whole number has more than 64 bits")
            case float() if not math.isfinite(value_):
                raise ValueError("NaN and infinity are no JSON")
            case dict():
                for key in value_:
                    _check_text(key)
                pending += ((inner, depth + 1) for inner in value_.values())
            case list():
                pending += ((inner, depth + 1) for inner in value_)
    return value


def check_plain(value: Any) -> Any:
    """As `check_values`, for the value of one input, which must not be a link in disguise."""
    if looks_like_link(value) or (isinstance(value, dict) and _WRAPPED in value):
        raise ValueError("it would be taken for a link to another node")
    return check_values(value)


def looks_like_link(value: Any) -> bool:
    """Whether ComfyUI could take it for a link: it takes any number for a slot, and unwraps `{"__value__": …}` before
    it looks for links a second time."""
    while isinstance(value, dict) and _WRAPPED in value:
        value = value[_WRAPPED]
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float)
    )


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("a text has half a character (a surrogate)") from None
