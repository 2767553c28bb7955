"""Answers in the contract's form, and their documentation."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel

from ..problem import ApiProblem
from ..streams import EVENT
from .model import Asset, ErrorDetail, ErrorEnvelope


def json_response(body: BaseModel, status: int = 200, *, exclude_none: bool = False) -> Response:
    return Response(body.model_dump_json(exclude_none=exclude_none), status, media_type="application/json")


def error_response(problem: ApiProblem) -> Response:
    details = dict(problem.details) if problem.details is not None else None
    envelope = ErrorEnvelope(error=ErrorDetail(code=problem.code, message=problem.message, details=details))
    return Response(envelope.model_dump_json(), problem.status, headers=problem.headers, media_type="application/json")


def _documented(**codes: str) -> dict[int | str, dict[str, Any]]:
    return {int(code[1:]): {"model": ErrorEnvelope, "description": text} for code, text in codes.items()}


ERRORS = _documented(
    _401="`unauthorized`",
    _403="`forbidden`",
    _404="`not_found`",
    _413="`too_large`",
    _422="`invalid_request`",
    _429="`rate_limited`, with `Retry-After`",
    _500="`upstream_error`",
    _503="`unavailable`, with `Retry-After`",
)
QUEUE_ERRORS = {
    **ERRORS,
    **_documented(
        _409="`invalid_state`",
        _422="`invalid_workflow`, `workflow_format_ui`, `missing_asset`, `idempotency_key_reuse`, `batch_too_large`,"
        " `invalid_request`",
        _429="`queue_full` or `rate_limited`, with `Retry-After`",
        _507="`storage_full`",
    ),
}
ASSET_ERRORS = {
    **ERRORS,
    **_documented(
        _404="`not_found` or `blob_not_found`",
        _409="`hash_mismatch` or `asset_in_use`",
        _507="`storage_full`",
    ),
    200: {"model": Asset, "description": "The bytes were there already; an asset over them."},
}
STREAM_ERRORS = {
    **ERRORS,
    **_documented(_429="`too_many_streams`, with `Retry-After`"),
    200: {"content": {"text/event-stream": {"schema": EVENT}}, "description": "the stream"},
}
