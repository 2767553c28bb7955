"""A WebSocket client (RFC 6455) that only listens: the standard library has none, and the image promises no other.

It offers no extensions, so frames arrive uncompressed.
"""

import asyncio
import base64
import hashlib
import os
import struct
from typing import Self

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEADER_LIMIT = 1 << 16
MESSAGE_LIMIT = 256 << 20

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class WebSocket:
    """One connection. Read it from a single task: a cancelled `receive` leaves it in the middle of a frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, host: str, port: int, path: str) -> Self:
        """Raises `ConnectionError` or another `OSError` if the server does not answer as one."""
        reader, writer = await asyncio.open_connection(host, port, limit=HEADER_LIMIT)
        key = base64.b64encode(os.urandom(16))
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            writer.close()
            raise ConnectionError("no WebSocket answer") from e
        status, *lines = head.split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        if status.split(" ")[1:2] != ["101"] or headers.get("sec-websocket-accept") != accept:
            writer.close()
            raise ConnectionError(f"no WebSocket: {status}")
        return cls(reader, writer)

    async def receive(self) -> str | bytes:
        """The next message. Raises `ConnectionError` once the connection is over or speaks nonsense."""
        kind, parts = TEXT, bytearray()
        while True:
            final, code, data = await self._frame()
            if code == CLOSE:
                raise ConnectionError("closed by the server")
            if code == PING:
                await self._send(PONG, data)
            if code >= CLOSE:
                continue
            if code != CONTINUATION:
                kind, parts = code, bytearray()
            parts += data
            if len(parts) > MESSAGE_LIMIT:
                raise ConnectionError("message too long")
            if final:
                return parts.decode("utf-8", "replace") if kind == TEXT else bytes(parts)

    async def close(self) -> None:
        try:
            await self._send(CLOSE, b"")
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            return

    async def _frame(self) -> tuple[bool, int, bytes]:
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            if length > MESSAGE_LIMIT or second & 0x80:
                raise ConnectionError("bad frame")
            return bool(first & 0x80), first & 0x0F, await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as e:
            raise ConnectionError("closed by the server") from e

    async def _send(self, code: int, data: bytes) -> None:
        """A client masks what it sends; control frames carry at most 125 bytes."""
        data = data[:125]
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        self._writer.write(bytes((0x80 | code, 0x80 | len(data))) + mask + masked)
        await self._writer.drain()
