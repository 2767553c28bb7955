"""What one round of the event loop writes goes out at once, in its order, over a real socket."""

import asyncio
import socket
from typing import Any

from pycomfy.gateway.corked import CorkedTransport
from tests.support.waiting import HANG


class Recording:
    """The transport of a real connection, with what it was asked to write."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class Connection:
    """One end corked, the other end read."""

    def __init__(self, transport: asyncio.Transport, other: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer  # without one, its connection is closed
        self.recording = Recording(transport)
        self.corked = CorkedTransport(self.recording, asyncio.get_running_loop())  # type: ignore[arg-type]
        self.other = other


async def connect() -> Connection:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    return Connection(transport, *await asyncio.open_connection(sock=theirs))


def test_what_one_round_writes_is_sent_once_and_what_the_next_writes_after_it() -> None:
    async def use() -> None:
        connection = await connect()
        connection.corked.write(b"head ")
        connection.corked.write(b"body ")
        assert connection.recording.written == []
        await asyncio.sleep(0)
        connection.corked.write(b"more")
        connection.corked.close()
        async with asyncio.timeout(HANG):
            assert await connection.other.read() == b"head body more"
        assert connection.recording.written == [b"head body ", b"more"]
        assert connection.corked.is_closing()

    asyncio.run(use())


def test_much_is_not_kept_back() -> None:
    """Else nothing would tell its writer to wait."""

    async def use() -> None:
        connection = await connect()
        connection.corked.write(b"a" * 40_000)
        connection.corked.write(b"b" * 40_000)
        assert [len(data) for data in connection.recording.written] == [80_000]
        await asyncio.sleep(0)
        assert len(connection.recording.written) == 1
        connection.corked.abort()

    asyncio.run(use())
