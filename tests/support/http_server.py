"""Web servers on this machine, for as long as a block runs."""

import contextlib
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class RequestHandler(BaseHTTPRequestHandler):
    """A handler that keeps no log. Subclasses define `get`, which answers HEAD as well, and `post` if need be."""

    def do_GET(self) -> None:
        self.get()

    def do_HEAD(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def get(self) -> None:
        raise NotImplementedError

    def post(self) -> None:
        self.answer(405)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the base class names it so)
        pass

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer. A HEAD request gets no body."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _FileHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # of five, as the standard library has it, a sixth client waits for its next try

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is no error here. `sys.stderr` may be a command's at that moment."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            traceback.print_exc(file=sys.__stderr__)


@contextlib.contextmanager
def serve_http(
    handler: Callable[..., Any], *, certificate: Path | None = None, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Serve until the block ends. The value is the address, without a slash at its end. `certificate` is a file with
    a certificate and its key: with one, it is HTTPS. `host` is the address to listen at."""
    with _Server((host, 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is each connection's own, in its thread: else one slow client keeps all others waiting.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        # Who waits for the end of the server waits for as long as it sleeps.
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"{'http' if certificate is None else 'https'}://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serve_folder(folder: Path, *, certificate: Path | None = None) -> Iterator[str]:
    """Serve the files of a folder, as `serve_http` does."""

    def handler(*arguments: Any) -> _FileHandler:
        return _FileHandler(*arguments, directory=str(folder))

    with serve_http(handler, certificate=certificate) as address:
        yield address
