"""A server whose every answer is an input, byte for byte; there is one in a process."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from pycomfy.adapters.io import http_client

# Servers that fail are asked again here as everywhere, only at once, whatever they say of it.
http_client.PAUSE = http_client.MAX_PAUSE = 0.0

MAX_REQUEST = 1 << 20


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            length = 0
            while (line := self.rfile.readline(MAX_REQUEST)) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.rfile.read(min(length, MAX_REQUEST))
            assert isinstance(self.server, _Server)
            self.wfile.write(self.server.answer)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    answer = b""


@cache
def _server() -> _Server:
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@contextmanager
def answering(data: bytes) -> Iterator[str]:
    """Answer every request with these bytes while the block runs; the value is the server's address."""
    server = _server()
    server.answer = data
    yield f"http://127.0.0.1:{server.server_address[1]}"


def body(data: bytes, kind: str = "application/json") -> bytes:
    """Return the answer with this body."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    return head.encode() + data
