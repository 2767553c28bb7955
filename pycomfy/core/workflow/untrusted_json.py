"""Parse untrusted JSON: bounded in size and depth, tolerant of what Python and browsers write that is not JSON."""

import json
import re
from itertools import chain

from pycomfy.errors import BadWorkflow

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 200

MAX_SIZE = 12_000_000
"""Values, counted by the characters before each outside strings: a comma, a bracket; a key counts as two. So many take
up to 900 MB of memory."""

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SURROGATES = re.compile(
    r"(?P<kept>(?:\\\\)+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)

FIX = 'give the JSON that ComfyUI saves ("Save" or "Export"); of a picture: open it in ComfyUI, then save'

_TOO_LARGE = "give a workflow, not a data file"


def parse_json(data: bytes | str, *, where: str) -> object:
    """Return the value in `data`, which is UTF-8, or UTF-16 with a byte order mark. NaN and Infinity are allowed; lone
    surrogates become `?`.

    Raises `BadWorkflow` for anything else, and for more than 64 MiB, `MAX_SIZE` values or 200 levels.
    """
    if len(data) > MAX_BYTES:
        raise BadWorkflow(f"larger than {MAX_BYTES >> 20} MiB", where=where, fix=_TOO_LARGE)
    try:
        text = _replace_lone_surrogates(data if isinstance(data, str) else _decode(data))
        if _size(text) > MAX_SIZE:
            raise BadWorkflow(f"more than {MAX_SIZE // 1_000_000} million values", where=where, fix=_TOO_LARGE)
        value = json.loads(text)
    except RecursionError as e:
        raise _too_deep(where) from e
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise BadWorkflow(f"not JSON: {e}", where=where, fix=FIX) from e
    except ValueError as e:
        raise BadWorkflow("it has a number with thousands of digits", where=where, fix=FIX) from e
    if is_deeper_than(value, MAX_DEPTH):
        raise _too_deep(where)
    return value


def _too_deep(where: str) -> BadWorkflow:
    return BadWorkflow(
        f"nested more than {MAX_DEPTH} levels deep", where=where, fix="save the workflow again from ComfyUI"
    )


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _replace_lone_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs: JSON allows them, but they cannot be printed, hashed or sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="replace").decode()
    return _SURROGATES.sub(lambda m: m["kept"] or "?", text) if "\\u" in text else text


def _size(text: str) -> int:
    """Return how many values a text of JSON has, as `MAX_SIZE` counts them."""
    return size if (size := _count(text)) <= MAX_SIZE else _count(_STRING.sub("", text))


def _count(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{") + 2 * text.count(":")


def is_deeper_than(value: object, limit: int) -> bool:
    """Return whether the value has more than `limit` levels, without recursion, which would fail on such values."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        children = chain.from_iterable(one.values() if isinstance(one, dict) else one for one in level)
        level = [child for child in children if isinstance(child, (dict, list))]
        if not level:
            return False
    return True
