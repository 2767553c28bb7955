"""Answer errors as problem+json (RFC 9457), with the code, the place and the fixes that the command line shows, too."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from pycomfy.errors import BadInput, MissingTool, NetworkError, NoSpace, NotFound, PycomfyError

_STATUSES: tuple[tuple[type[PycomfyError], int], ...] = (
    (NotFound, 404),
    (BadInput, 422),
    (NetworkError, 502),
    (MissingTool, 503),
    (NoSpace, 507),
    (PycomfyError, 409),
)


STATUSES = frozenset(status for _, status in _STATUSES)
"""Those of our errors."""


class Problem(BaseModel):
    """`message` says what happened, `where` the place. Each of `fixes` is `{advice}` or `{action, arguments, note}`."""

    model_config = ConfigDict(extra="allow")

    title: str
    status: int
    code: str
    message: str
    where: str = ""
    fix: str = ""
    fixes: list[dict[str, Any]] = []


_DESCRIPTIONS: dict[int | str, str] = {
    "4XX": "An error that the user can fix",
    502: "Another server cannot be reached, or does not answer as it should",
    503: "A program that is needed is not there, or the users cannot be read now",
    507: "The disk is full",
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {"application/problem+json": {}}}
    for status, description in _DESCRIPTIONS.items()
}


def problem(status: int, code: str, message: str, **more: object) -> JSONResponse:
    """Return an answer that is a problem."""
    return _answer({"code": code, "message": message, "where": "", "fix": "", "fixes": [], **more}, status)


def add_handlers(app: FastAPI) -> None:
    """Let the app answer every error as a problem."""

    @app.exception_handler(PycomfyError)
    def _explain(request: Request, error: PycomfyError) -> JSONResponse:
        status = next(status for kind, status in _STATUSES if isinstance(error, kind))
        return _answer(error.as_dict(), status)

    @app.exception_handler(RequestValidationError)
    def _refuse(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [
            {"where": "/".join(map(str, one["loc"])), "message": str(one["msg"])} for one in list(error.errors())[:20]
        ]
        where = "; ".join(f"{one['where']}: {one['message']}" for one in found)
        return problem(422, "invalid-request", "the request is not what it may be", where=where, errors=found)

    @app.exception_handler(HTTPException)
    def _status(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "invalid-request")
        return problem(error.status_code, code, str(error.detail))

    @app.exception_handler(Exception)
    def _bug(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "bug", "this is a bug in pycomfy: the terminal in which the server was started has more")


def _answer(body: Mapping[str, object], status: int) -> JSONResponse:
    content = {"type": f"urn:pycomfy:{body['code']}", "title": body["message"], "status": status, **body}
    return JSONResponse(content, status, media_type="application/problem+json")
