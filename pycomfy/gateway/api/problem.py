"""What is wrong with a request. Each face of the API renders it in its own form."""

from collections.abc import Mapping
from typing import Any


class ApiProblem(Exception):
    """`code` is machine-readable and stable; `pointer` is a JSON Pointer into the request's body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        pointer: str | None = None,
        node: str | None = None,
        retry_after: int | None = None,
        challenge: str = "Bearer",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.pointer = pointer
        self.node = node
        self.retry_after = retry_after
        self.challenge = challenge

    @property
    def headers(self) -> dict[str, str]:
        extra = {"WWW-Authenticate": self.challenge} if self.status == 401 else {}
        return extra if self.retry_after is None else {**extra, "Retry-After": str(self.retry_after)}


def not_found(what: str) -> ApiProblem:
    return ApiProblem(404, "not_found", f"there is no such {what}")
