"""A proxy that answers in the name of whatever host is asked for, over TLS, with a certificate authority of its own.

So a built-in address of a program is tried without that host, and without naming it.
"""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

Answer = Callable[[str], tuple[int, str, bytes]]
"""From a path to status, content type and body."""


@dataclass(frozen=True)
class AnyHost:
    """`proxy` is its address, `authority` the certificate that clients have to trust."""

    proxy: str
    authority: Path


@contextlib.contextmanager
def serve_any_host(folder: Path, answer: Answer) -> Iterator[AnyHost]:
    """Answer until the block ends. Skips the test without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    folder.mkdir()
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=any host", "-days", "2")
    lock = threading.Lock()

    def identity(host: str) -> ssl.SSLContext:
        with lock:
            if not (folder / f"{host}.pem").exists():
                _openssl(folder, "req", *new, "-keyout", f"{host}.key", "-out", f"{host}.csr", "-subj", f"/CN={host}")
                (folder / "names").write_text(f"subjectAltName=DNS:{host}")
                ours = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
                _openssl(folder, "x509", "-req", "-in", f"{host}.csr", *ours, "-out", f"{host}.pem", "-days", "2")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{host}.pem", folder / f"{host}.key")
        return context

    def talk(plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            asked = _head(plain)
            if asked[0] != "CONNECT":
                return
            host = asked[1].partition(":")[0]
            plain.sendall(b"HTTP/1.1 200 here\r\n\r\n")
            with identity(host).wrap_socket(plain, server_side=True) as secure:
                while asked := _head(secure):
                    status, kind, body = answer(asked[1])
                    head = f"HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
                    secure.sendall(head.encode() + (body if asked[0] == "GET" else b""))

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield AnyHost(f"http://127.0.0.1:{listener.getsockname()[1]}", folder / "ca.pem")


def _head(connection: socket.socket) -> list[str]:
    """The words of a request's first line; its headers are read and forgotten. Nothing if the other side has left."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            return []
        data += more
    return data.split(b"\r\n", 1)[0].decode().split()


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
