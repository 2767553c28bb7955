import asyncio
import base64
import hashlib
import struct
from collections.abc import Callable

import pytest

from pycomfy.gateway.websocket import GUID, MESSAGE_LIMIT, WebSocket


def frame(data: bytes, code: int = 1, *, final: bool = True) -> bytes:
    size = len(data)
    if size < 126:
        length = bytes((size,))
    else:
        length = b"\x7e" + struct.pack(">H", size) if size < 1 << 16 else b"\x7f" + struct.pack(">Q", size)
    return bytes(((0x80 if final else 0) | code,)) + length + data


def talk(sent: bytes, use: Callable[[WebSocket], object], accept: str | None = None) -> tuple[object, bytes]:
    """What `use` returns, given a server that sends `sent`; and what the server was sent after the handshake."""
    heard, over = bytearray(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = head.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0].encode()
        right = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        writer.write(f"HTTP/1.1 101 X\r\nSEC-WebSocket-Accept: {accept or right}\r\n\r\n".encode() + sent)
        writer.write_eof()
        heard.extend(await reader.read())
        writer.close()
        over.set()

    async def run() -> object:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        socket = await WebSocket.connect("127.0.0.1", server.sockets[0].getsockname()[1], "/ws")
        try:
            return await use(socket)  # type: ignore[misc]
        finally:
            await socket.close()
            server.close()
            await over.wait()

    return asyncio.run(run()), bytes(heard)


async def three(socket: WebSocket) -> list[str | bytes]:
    return [await socket.receive() for _ in range(3)]


async def one(socket: WebSocket) -> str | bytes:
    return await socket.receive()


def test_texts_binaries_and_pieces_arrive_whole() -> None:
    sent = frame(b"a") + frame(b"x" * 70_000, 2) + frame(b"b" * 200, final=False) + frame(b"c", 0)
    got, _ = talk(sent, three)
    assert got == ["a", b"x" * 70_000, "b" * 200 + "c"]


def test_a_ping_between_pieces_is_answered_with_a_masked_pong() -> None:
    got, heard = talk(frame(b"a", final=False) + frame(b"still there?", 9) + frame(b"b", 0), one)
    assert got == "ab"
    mask, data = heard[2:6], heard[6:18]
    assert heard[:2] == bytes((0x8A, 0x80 | 12))
    assert bytes(b ^ mask[i % 4] for i, b in enumerate(data)) == b"still there?"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        frame(b"bye", 8),
        frame(b"cut")[:3],
        b"\x81\xff" + b"x" * 20,
        b"\x81\x7f" + struct.pack(">Q", MESSAGE_LIMIT + 1),
    ],
)
def test_the_end_and_nonsense_are_a_connection_error(sent: bytes) -> None:
    with pytest.raises(ConnectionError):
        talk(sent, one)


def test_a_wrong_handshake_is_refused() -> None:
    with pytest.raises(ConnectionError, match="no WebSocket"):
        talk(b"", one, accept="wrong")
