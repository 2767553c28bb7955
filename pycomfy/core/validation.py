"""Say in plain words what pydantic finds wrong with a document.

A key is written as a path: `packs[0].source`. The words are the same for every document: locks, pycomfy.toml,
interfaces, bundles, images and the files of other tools.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pycomfy.core.sentences import shorten

MAX_LISTED = 20
"""Problems that are described of one document."""

KEY = "[key]"
"""What pydantic has in a location where not a value is wrong, but the name of a key that the user chose."""

_Location = tuple[int | str, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

_Words = str | Callable[[Mapping[str, Any]], str]


def _length(bound: str, limit: str, singular: str, plural: str) -> _Words:
    def say(context: Mapping[str, Any]) -> str:
        count = context[limit]
        return f"must have at {bound} {count} {singular if count == 1 else plural}"

    return say


_WORDS: Mapping[str, _Words] = {
    "missing": "is missing",
    "extra_forbidden": "there is no such key",
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), "must be a text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), "must have keys and values"),
    "none_required": "must be null",
    "timezone_aware": "must be a time with a time zone",
    **dict.fromkeys(("literal_error", "enum"), lambda c: f"must be {c['expected']}"),
    "string_pattern_mismatch": lambda c: f"is malformed: it must match {c['pattern']}",
    "string_too_short": _length("least", "min_length", "character", "characters"),
    "string_too_long": _length("most", "max_length", "character", "characters"),
    "too_short": _length("least", "min_length", "entry", "entries"),
    "too_long": _length("most", "max_length", "entry", "entries"),
    "greater_than": lambda c: f"must be more than {c['gt']}",
    "greater_than_equal": lambda c: f"must be at least {c['ge']}",
    "less_than": lambda c: f"must be less than {c['lt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']}",
    "union_tag_not_found": lambda c: f"{c['discriminator']} is missing",
    "union_tag_invalid": lambda c: f"{c['discriminator']} must be {c['expected_tags']}",
    "json_invalid": lambda c: f"is not JSON: {c['error']}",
    "recursion_loop": "is nested too deeply",
}
"""The words for each type of pydantic's errors that the project's models can raise; some use the error's context."""


def describe_errors(
    error: ValidationError,
    document: str,
    *,
    explain: Callable[[ErrorDetails], str] | None = None,
    locate: "Callable[[_Location], _Location]" = lambda location: location,
    limit: int | None = MAX_LISTED,
) -> list[str]:
    """Return what is wrong, at most `limit` problems and then the number of the others. Keys that one object lacks are
    one problem: "the lock lacks name, as_of", where `document` is what the whole is called. `explain` says what is
    wrong with one value, and `locate` where in the document a key is."""
    problems = list(_describe(error.errors(include_url=False), document, explain or explain_error, locate))
    more = 0 if limit is None else max(len(problems) - limit, 0)
    return [*problems[:limit], *([f"{more} more problem{'' if more == 1 else 's'}"] if more else [])]


def describe_error(error: Exception, document: str) -> str:
    """Return what is wrong in one line: of a `ValidationError` all that `describe_errors` returns, of another error the
    first line of its text."""
    if isinstance(error, ValidationError):
        return "; ".join(describe_errors(error, document))
    return (str(error).splitlines() or [type(error).__name__])[0]


def _describe(
    errors: Sequence[ErrorDetails],
    document: str,
    explain: Callable[[ErrorDetails], str],
    locate: "Callable[[_Location], _Location]",
) -> Iterator[str]:
    missing: dict[tuple[int | str, ...], list[str]] = {}
    for error in errors:
        if error["type"] == "missing":
            missing.setdefault(error["loc"][:-1], []).append(render_location(error["loc"][-1:]))
    for error in errors:
        at = render_location(locate(error["loc"]))
        if error["type"] != "missing":
            why = explain(error)
            # What a check of the whole says is a sentence of its own.
            yield f"{at}: {why}" if at else f"{document} {why}" if error["type"] in _WORDS else why
        elif keys := missing.pop(error["loc"][:-1], None):
            yield f"{render_location(locate(error['loc'][:-1])) or document} lacks {', '.join(keys)}"


def explain_error(error: ErrorDetails) -> str:
    """Return what is wrong with one value, without its key; for a type without words of its own, pydantic's."""
    words = _WORDS.get(error["type"])
    if words is None:
        message = error["msg"].removeprefix("Value error, ")
        return message[:1].lower() + message[1:]
    why = words if isinstance(words, str) else words(error.get("ctx", {}))
    return f"the key {why}" if KEY in error["loc"] else why


def render_location(location: Sequence[int | str]) -> str:
    """Return the path of a key: `packs."a b".steps[0]`; "" for the whole document."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != KEY:
            part = shorten(part)
            bare = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            path += f".{bare}" if path else bare
    return path
