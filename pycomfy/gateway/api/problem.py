"""What is wrong with a request. Each face of the API renders it in its own form."""

from collections.abc import Mapping
from typing import Any

FILE_WORDS = "the id of an upload (POST /v1/files), an https address, or a data URI (data:image/png;base64,…)"
"""What an input that takes a file is given."""


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


CODES: Mapping[str, tuple[str, str]] = {
    "asset_in_use": ("409", "a job still needs the file"),
    "batch_too_large": ("422", "more jobs, or bytes of them, at once than a batch or the queue may have"),
    "blob_not_found": ("404", "no bytes of that hash that the caller may use: send them"),
    "forbidden": ("403", "a page of another site may not do this"),
    "hash_mismatch": ("409", "the bytes have another hash than was told"),
    "idempotency_key_reuse": (
        "422",
        "the Idempotency-Key was used, for another request or a job that is gone",
    ),
    "invalid_cursor": ("422", "the cursor is none of this list"),
    "invalid_request": ("400, 422", "the request or one of its values is not what it may be; `errors` says where"),
    "invalid_workflow": ("422", "the graph is refused; `node_errors` or `errors` say which nodes, and why"),
    "method_not_allowed": ("405", "the route has no such method"),
    "missing_asset": ("422", "a file of the job is not there, or is another caller's"),
    "no_workflow": ("422", "the image has no graph of its own"),
    "not_found": ("404", "there is no such route, job or file, or it is another caller's"),
    "queue_full": ("429", "too many jobs wait, or bytes of them; come back after `Retry-After`"),
    "rate_limited": ("429", "too many requests of this key; come back after `Retry-After`"),
    "storage_full": ("507", "the disk is full"),
    "timeout": ("408", "the request did not come in time"),
    "too_large": ("413", "the request or the file is larger than it may be"),
    "too_many_streams": ("429", "the caller has too many event streams open"),
    "unauthorized": ("401", "a key is needed, or the key is not known"),
    "unavailable": ("503", "the gateway is being stopped, or ComfyUI is not ready; come back after `Retry-After`"),
    "upstream_error": ("500, 502", "the gateway failed (its log says why), or ComfyUI did not answer"),
    "webhooks_disabled": ("422", "there is no `PYCOMFY_WEBHOOK_SECRET` to sign webhooks with"),
    "workflow_format_ui": ("422", 'the graph has the editor\'s format: export it with "Export (API)"'),
    "wrong_host": ("421", "the gateway is not asked by that name (`PYCOMFY_ALLOWED_HOSTS`)"),
}
"""Each code with its statuses, and what it means."""
