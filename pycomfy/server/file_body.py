"""Receive a request whose body is a file, as it is."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

from fastapi import Request
from starlette.concurrency import run_in_threadpool

FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""What the OpenAPI document says of such a request."""

_IN_MEMORY = 8 << 20
"""Bytes of a file that stays in memory."""

_AT_ONCE = 1 << 16
"""Bytes that are written without a thread."""


@asynccontextmanager
async def receive_file(request: Request) -> AsyncIterator[BinaryIO]:
    """Give the body as a file at its beginning, which is gone with the block."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
        async for chunk in request.stream():
            await run_in_threadpool(body.write, chunk) if len(chunk) > _AT_ONCE else body.write(chunk)
        body.seek(0)
        yield body  # type: ignore[misc]  # it has what a file has
