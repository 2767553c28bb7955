"""Answers of the typed face, and their documentation."""

from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from ..problem import ApiProblem
from .model import Problem, ProblemEntry

PROBLEM_TYPE = "application/problem+json"


def json_response(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(by_alias=True), status, headers=headers, media_type="application/json")


def problem_response(problem: ApiProblem) -> Response:
    """RFC 9457, with a JSON Pointer and ComfyUI's node id for each error."""
    details = dict(problem.details or {})
    listed = details.get("errors")
    errors: list[dict[str, Any]] = list(listed) if isinstance(listed, list) else []
    for node, found in details.get("node_errors", {}).items():
        errors += [
            {"node": node or None, "input": e["field"] or None, "detail": e["message"], "code": e["reason"]}
            for e in found
        ]
    if not errors and (problem.pointer is not None or problem.node):
        about = {"pointer": problem.pointer, "node": problem.node}
        errors = [{**about, "detail": problem.message, "code": problem.code}]
    body = Problem(
        type="about:blank",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.message,
        code=problem.code,
        errors=[ProblemEntry.model_validate(e) for e in errors],
    )
    return Response(body.model_dump_json(), problem.status, headers=problem.headers, media_type=PROBLEM_TYPE)


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation, for its documentation."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {code: {"description": HTTPStatus(code).phrase, "content": {PROBLEM_TYPE: schema}} for code in codes}


ERRORS = documented(400, 401, 403, 404, 413, 422, 429, 500, 503)
SUBMIT_ERRORS = documented(400, 401, 403, 409, 413, 422, 429, 500, 503, 507)
