"""Parse untrusted JSON: bounded in size and depth, tolerant of what Python and browsers write that is not JSON."""

import json

from pycomfy.errors import BadWorkflow

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 200

FIX = 'give the JSON that ComfyUI saves ("Save" or "Export"); of a picture: open it in ComfyUI, then save'


def parse_json(data: bytes | str, *, where: str) -> object:
    """Return the value in `data`, which is UTF-8, or UTF-16 with a byte order mark. NaN and Infinity are allowed; lone
    surrogates become `?`.

    Raises `BadWorkflow` for anything else, and for more than 64 MiB or 200 levels.
    """
    if len(data) > MAX_BYTES:
        raise BadWorkflow(f"larger than {MAX_BYTES >> 20} MiB", where=where, fix="give a workflow, not a data file")
    try:
        text = data if isinstance(data, str) else _decode(data)
        value = json.loads(text)
        if "\\u" in text or isinstance(data, str):
            value = _without_lone_surrogates(value)
    except RecursionError as e:
        raise _too_deep(where) from e
    except ValueError as e:
        raise BadWorkflow(f"not JSON: {e}", where=where, fix=FIX) from e
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


def _without_lone_surrogates(value: object) -> object:
    """Replace halves of surrogate pairs: JSON allows them, but they cannot be printed, hashed or sent."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return value


def is_deeper_than(value: object, limit: int) -> bool:
    """Return whether the value has more than `limit` levels, without recursion, which would fail on such values."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
