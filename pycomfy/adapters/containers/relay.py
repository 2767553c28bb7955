"""Relay connections from a port of the loopback interface to a unix socket, byte for byte.

A container without any network can be reached so: what listens in it has a socket in a mounted folder. No protocol is
known here, so that WebSocket, event streams, uploads and half-closed connections pass as they are.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import resource
import select
import socket
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.containers.arguments import LOOPBACK
from pycomfy.errors import BadInput, Placeholder, suggest_retry

MAX_CONNECTIONS = 1000
"""Connections at once. One more is answered with 503."""

_SPARE_FILES = 192
"""Open files that are left for the rest of this process: a connection takes two."""

_MAX_REFUSED = 64
"""Connections that are told at once why they are refused. More are closed."""

_CHUNK = 1 << 16
_PATIENCE = 1.0
"""Seconds between two looks at whether the server of a half-closed connection is gone."""

_LINGER = 2.0
"""Seconds in which what a client sends in vain is taken, so that it can read its answer."""

_PAUSES = (0.002, 0.01, 0.05, 0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to connect to a server that has too much to do."""

_UNAVAILABLE = b"""HTTP/1.1 503 Service Unavailable\r
Content-Type: application/problem+json\r
Content-Length: %d\r
Retry-After: 1\r
Connection: close\r
\r
%b"""


def bind_port(port: int) -> socket.socket:
    """Return a socket bound to a port of the loopback interface, 0 for any that is free. Raises `BadInput` for one that
    is taken, or that this user may not have."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose last connections are not forgotten yet is free all the same; one that is listened at is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        send_at_once(listener)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as e:
        listener.close()
        what = f"port {port} cannot be used: {os.strerror(e.errno or 0)}"
        fix = suggest_retry("run", "another port; 0 for any that is free", port=Placeholder("PORT"))
        raise BadInput(what, where=f"{LOOPBACK}:{port}", fix=fix) from e
    return listener


def send_at_once(listener: socket.socket) -> None:
    """Let every connection to `listener` send what it has at once. Else the end of an answer may wait 40 ms, until its
    beginning is acknowledged; asyncio sees to that for sockets that it has made itself alone."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@contextlib.contextmanager
def relaying(listener: socket.socket, path: Path) -> Iterator[None]:
    """Pass every connection to `listener` on to the unix socket at `path`, while the block runs; the listener and all
    connections are closed then. The socket may come later, or go: who connects without it is told so with HTTP's 503.

    The path may be longer than the 107 bytes that a socket's address has."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    relay = _Relay(listener, f"/proc/self/fd/{folder}/{path.name}")
    ready: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
    # The thread that calls this waits for the container, and gets the signals.
    thread = threading.Thread(target=asyncio.run, args=(relay.run(ready),), name="relay", daemon=True)
    try:
        thread.start()
        loop = ready.result()
        try:
            yield
        finally:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(relay.stopped.set)
            thread.join()
    finally:
        os.close(folder)


def most_connections() -> int:
    """Return how many connections the limit of open files leaves room for, at most `MAX_CONNECTIONS`."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, (soft - _SPARE_FILES) // 2))


@dataclass
class _Relay:
    listener: socket.socket
    path: str
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _relayed: int = 0

    async def run(self, ready: "concurrent.futures.Future[asyncio.AbstractEventLoop]") -> None:
        """Accept connections until `stopped` is set."""
        loop = asyncio.get_running_loop()
        self.listener.setblocking(False)
        accepting = asyncio.create_task(self._accept(loop))
        ready.set_result(loop)
        await self.stopped.wait()
        tasks = {accepting, *self._open}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self.listener.close()

    async def _accept(self, loop: asyncio.AbstractEventLoop) -> None:
        limit = most_connections()
        while True:
            try:
                client, _ = await loop.sock_accept(self.listener)
            except OSError:  # one that is gone already, or no file is left to open
                await asyncio.sleep(0.05)
                continue
            if len(self._open) >= limit + _MAX_REFUSED:
                client.close()
                continue
            if self._relayed < limit:
                self._relayed += 1
                work = self._relay(client)
            else:
                work = _refuse(client, f"more than {limit} connections")
            task = asyncio.create_task(_serve(client, work))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _relay(self, client: socket.socket) -> None:
        try:
            server = await self._connect()
            if server is not None:
                with server:
                    await _exchange(client, server)
        finally:
            self._relayed -= 1
        if server is None:
            await _refuse(client, "the gateway does not listen yet, or has ended")

    async def _connect(self) -> socket.socket | None:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.setblocking(False)
        for pause in _PAUSES:
            try:
                server.connect(self.path)
            except BlockingIOError:  # more wait to be accepted than its queue takes
                await asyncio.sleep(pause)
            except OSError:
                break
            else:
                return server
        server.close()
        return None


async def _serve(client: socket.socket, work: Coroutine[None, None, None]) -> None:
    with client, contextlib.suppress(OSError):
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await work


async def _exchange(client: socket.socket, server: socket.socket) -> None:
    """Copy both ways until both ends have ended, or the client breaks off."""
    up, down = _Way(client, server, down=False), _Way(server, client, down=True)
    both = {up.done, down.done}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        while not all(done.done() for done in both) and not any(done.done() and done.exception() for done in both):
            gone = down.done.done() and _is_gone(server)
            # Closed at once, what the client has not read yet would be lost if it still sends.
            await asyncio.wait(both, timeout=_LINGER if gone else _PATIENCE, return_when=asyncio.ALL_COMPLETED)
            if gone:
                return
    finally:
        up.stop()
        down.stop()


class _Way:
    """Copies one way as soon as something comes, until `done`: an error, or the end of `source`.

    Without a task between the coming and the going, which takes a third less of the processor.

    A server that is gone is no error. Its answer may still be on its way, and what it does not take is dropped.
    """

    def __init__(self, source: socket.socket, target: socket.socket, *, down: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._source, self._target, self._down = source, target, down
        self._rest = b""
        self._is_taken = True
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(source, self._read)

    def stop(self) -> None:
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._target)
        # Nobody asks for the error of a way that ended after the other.
        if not self.done.cancel():
            self.done.exception()

    def _read(self) -> None:
        try:
            data = self._source.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as e:
            if not (self._down and isinstance(e, ConnectionError)):  # it died, or closed without reading all
                self._end(e)
                return
            data = b""
        if data:
            self._send(data)
        else:
            self._end(None)

    def _send(self, data: bytes) -> None:
        try:
            sent = self._target.send(data) if self._is_taken else len(data)
        except BlockingIOError:
            sent = 0
        except OSError as e:
            if self._down:
                self._end(e)
                return
            self._is_taken, sent = False, len(data)
        waited, self._rest = bool(self._rest), data[sent:]
        if self._rest and not waited:
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._target, lambda: self._send(self._rest))
        elif waited and not self._rest:
            self._loop.remove_writer(self._target)
            self._loop.add_reader(self._source, self._read)

    def _end(self, error: OSError | None) -> None:
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._target)
        if error is None:
            try:
                self._target.shutdown(socket.SHUT_WR)
            except OSError as e:
                error = e if self._down else None
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


def _is_gone(server: socket.socket) -> bool:
    """Return whether the other end of a unix socket is closed both ways, which a half-closed one is not."""
    poll = select.poll()
    poll.register(server.fileno(), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


async def _refuse(client: socket.socket, why: str) -> None:
    body = f'{{"title": "Service Unavailable", "status": 503, "detail": "{why}"}}'.encode()
    await asyncio.get_running_loop().sock_sendall(client, _UNAVAILABLE % (len(body), body))
    client.shutdown(socket.SHUT_WR)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while await asyncio.get_running_loop().sock_recv(client, _CHUNK):
                pass
