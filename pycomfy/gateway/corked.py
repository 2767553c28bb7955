"""A transport that sends what one round of the event loop writes with one call of the system."""

import asyncio
from typing import Any

_MOST = 1 << 16


class CorkedTransport:
    """Keeps what is written until the round is over: a server writes the head and the body of an answer apart, and each
    call wakes whoever waits for the other end. More than 64 KiB go at once, so that its writer is told to wait.

    Everything else is `transport`'s.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written.append(data)
        self._size += len(data)
        if self._size > _MOST:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._written:
            data = b"".join(self._written)
            self._written.clear()
            self._size = 0
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
