"""What pydantic has against a request, in words for its sender."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from .problem import FILE_WORDS, ApiProblem

MAX_ERRORS = 50

Entry = dict[str, Any]
Place = tuple[str, ...]


def explain_request(error: RequestValidationError, inputs: Sequence[str] = ()) -> ApiProblem:
    """The problem with all that is wrong, each thing once, by a JSON Pointer into the body or a parameter's name.
    `inputs` are the names of the workflow's inputs."""
    entries = explain_errors(error.errors(), error.body, inputs)
    first = entries[0]
    place = str(first["pointer"] or "").removeprefix("/").replace("/", ".") or first["parameter"]
    message = f"{place}: {first['detail']}" if place else first["detail"]
    if len(entries) > 1:
        message += f"; and {len(entries) - 1} more, in errors"
    return ApiProblem(422, "invalid_request", message, details={"errors": entries})


def explain_errors(errors: Iterable[Mapping[str, Any]], body: Any, inputs: Sequence[str] = ()) -> list[Entry]:
    """An entry for each place. Of a value that may have several forms, pydantic tells what is wrong with each: only
    what is wrong with its parts counts, if there is such a thing."""
    values: dict[Place, list[tuple[Place, Mapping[str, Any]]]] = {}
    for error in errors:
        place, value = _locate(error, body)
        values.setdefault(value, []).append((place, error))
    found: dict[Place, list[Mapping[str, Any]]] = {}
    for several in values.values():
        deepest = max(len(place) for place, _ in several)
        for place, error in several:
            if len(place) == deepest:
                found.setdefault(place, []).append(error)
    return [_describe(place, several, body, inputs) for place, several in found.items()][:MAX_ERRORS]


def _describe(place: Place, errors: Sequence[Mapping[str, Any]], body: Any, inputs: Sequence[str]) -> Entry:
    first = errors[0]
    code = str(first["type"])
    texts = _word_forms(errors, place) or dict.fromkeys(_word(error, place, body, inputs) for error in errors)
    entry: Entry = {"pointer": None, "parameter": None, "detail": "; or ".join(texts)[:1000], "code": code}
    if place and place[0] != "body":
        return {**entry, "parameter": place[1] if len(place) > 1 else place[0]}
    return {**entry, "pointer": "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place[1:])}


def _word_forms(errors: Sequence[Mapping[str, Any]], place: Place) -> list[str]:
    """One text for a value of none of the forms that it may have; none where pydantic's own are clear."""
    kinds = {str(error["type"]) for error in errors}
    if not kinds & {"model_attributes_type", "model_type"}:
        return []
    if place[1:2] == ("sweep",):
        return ['Input should be a list of values, or a range: {"start": …, "stop": …, "step": …}']
    if len(kinds) > 1:
        return [f"a file is {FILE_WORDS}"]
    return []


def _word(error: Mapping[str, Any], place: Place, body: Any, inputs: Sequence[str]) -> str:
    if error["type"] == "json_invalid":
        position = error["loc"][-1]
        why = (error.get("ctx") or {}).get("error", "")
        return f"the body is no JSON: {why} at character {position}"
    if error["type"] == "extra_forbidden":
        return _word_unknown(place, inputs)
    if place == ("body",) and isinstance(body, bytes):
        return "the body is not read as JSON without the header Content-Type: application/json"
    if place == ("body", "file") and error["type"] == "missing":
        return 'a file is sent as multipart/form-data, in the field "file": curl --form file=@photo.png'
    if error["type"] in ("model_attributes_type", "model_type", "dict_type"):
        return "Input should be an object" if len(place) > 1 else "the body should be a JSON object"
    if place == ("body",) and error["type"] == "missing":
        return "the body should be a JSON object, and there is none"
    return str(error["msg"]).removeprefix("Value error, ")


def _word_unknown(place: Place, inputs: Sequence[str]) -> str:
    if place[1:-1] == ("sweep",) or (place[1:2] == ("inputs",) and all(part.isdigit() for part in place[2:-1])):
        return f"there is no such input; there are: {', '.join(inputs)}" if inputs else "there are no inputs"
    if len(place) == 2 and place[1] in inputs:
        return f'there is no such field: an input is a part of "inputs", as in {{"inputs": {{"{place[1]}": …}}}}'
    return "there is no such field"


def _locate(error: Mapping[str, Any], body: Any) -> tuple[Place, Place]:
    """Where it is, without what pydantic says of the forms that a value may have; and where the value with several
    forms is, if there is one."""
    location, kind = error["loc"], error["type"]
    if kind == "json_invalid":
        return ("body",), ("body",)
    if not location or location[0] != "body":
        return tuple(map(str, location[:2])), tuple(map(str, location[:2]))
    place, value, top = ["body"], body, None
    for index, part in enumerate(location[1:], 1):
        there, inner = _step(value, part)
        if there:
            value = inner
        elif kind != "missing" or index < len(location) - 1:
            top = top or tuple(place)
            continue
        place.append(str(part))
    return tuple(place), top or tuple(place)


def _step(value: Any, part: Any) -> tuple[bool, Any]:
    if isinstance(value, Mapping) and part in value:
        return True, value[part]
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return True, value[part]
    return False, None
