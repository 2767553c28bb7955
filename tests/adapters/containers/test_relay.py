"""The relay, with real sockets and real servers at their other end."""

import contextlib
import hashlib
import http.client
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect as connect_websocket
from websockets.sync.server import ServerConnection, unix_serve

from pycomfy.adapters.containers.relay import bind_port, most_connections, relaying
from pycomfy.errors import BadInput
from tests.support.waiting import HANG

Handler = Callable[[socket.socket], None]


@contextlib.contextmanager
def unix_server(path: Path, handle: Handler) -> Iterator[None]:
    """A server that calls `handle` for each connection, in a thread of its own."""
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH)
    listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    listener.listen(256)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        path.unlink()


@contextlib.contextmanager
def relayed(path: Path, handle: Handler | None = None) -> Iterator[Callable[[], socket.socket]]:
    """What connects to a relay before a server with this handler, or before none."""
    listener = bind_port(0)
    address = listener.getsockname()
    with contextlib.ExitStack() as stack:
        if handle is not None:
            stack.enter_context(unix_server(path, handle))
        stack.enter_context(relaying(listener, path))
        yield lambda: stack.enter_context(socket.create_connection(address, timeout=HANG))


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def answer_with_digest(connection: socket.socket) -> None:
    with connection:
        digest = hashlib.sha256()
        while data := connection.recv(1 << 16):
            digest.update(data)
        connection.sendall(digest.hexdigest().encode())


def echo(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def test_a_hundred_megabytes_arrive_as_they_were_and_the_answer_comes_after_the_half_close(tmp_path: Path) -> None:
    block = os.urandom(1 << 20)
    with relayed(tmp_path / "s", answer_with_digest) as connect, connect() as client:
        for _ in range(100):
            client.sendall(block)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).decode() == hashlib.sha256(block * 100).hexdigest()


def test_what_nobody_reads_is_not_kept_in_memory(tmp_path: Path) -> None:
    go = threading.Event()

    def wait_then_read(connection: socket.socket) -> None:
        go.wait(HANG)
        answer_with_digest(connection)

    with relayed(tmp_path / "s", wait_then_read) as connect, connect() as client:
        client.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += client.send(bytes(1 << 16))
        assert sent < 64 << 20
        go.set()
        client.settimeout(HANG)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).decode() == hashlib.sha256(bytes(sent)).hexdigest()


def test_a_server_may_end_its_side_first_and_still_read(tmp_path: Path) -> None:
    got: list[bytes] = []
    done = threading.Event()

    def say_then_listen(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
            got.append(read_all(connection))
            done.set()

    with relayed(tmp_path / "s", say_then_listen) as connect, connect() as client:
        assert read_all(client) == b"hello"
        client.sendall(b"and")
        client.sendall(b" goodbye")
        client.shutdown(socket.SHUT_WR)
        assert done.wait(HANG)
    assert got == [b"and goodbye"]


def test_the_answer_of_a_server_that_refuses_an_upload_is_read(tmp_path: Path) -> None:
    def refuse(connection: socket.socket) -> None:
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")

    with relayed(tmp_path / "s", refuse) as connect, connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + bytes(1_000_000))
        assert read_all(client).endswith(b"no")


def test_a_client_is_told_that_the_server_died_and_its_connection_is_freed(tmp_path: Path) -> None:
    def say_half(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(b"half of")
        connection.close()

    with relayed(tmp_path / "s", say_half) as connect:
        client = connect()
        client.sendall(b"go")
        assert read_all(client) == b"half of"
        # It keeps its own side open, and is closed all the same: what is sent then is refused.
        with pytest.raises(OSError, match=r"reset|pipe|closed"):
            for _ in range(int(HANG * 10)):
                client.sendall(b"more")
                threading.Event().wait(0.1)


def test_a_server_learns_that_a_client_is_gone(tmp_path: Path) -> None:
    ended = threading.Event()

    def stream(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(b": still here\n\n")
                threading.Event().wait(0.01)
        ended.set()

    with relayed(tmp_path / "s", stream) as connect:
        client = connect()
        client.recv(5)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        assert ended.wait(HANG)


def test_two_hundred_idle_connections_leave_room_for_one_that_is_not(tmp_path: Path) -> None:
    with relayed(tmp_path / "s", echo) as connect:
        idle = [connect() for _ in range(200)]
        client = connect()
        client.sendall(b"I am not")
        assert client.recv(100) == b"I am not"
        for number, connection in enumerate(idle):
            connection.sendall(b"%d" % number)
        assert [int(connection.recv(100)) for connection in idle] == list(range(200))


def test_websockets_pass_both_ways(tmp_path: Path) -> None:
    def answer(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with unix_serve(answer, path=str(tmp_path / "s")) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with relayed(tmp_path / "s") as connect, connect_websocket("ws://localhost/", sock=connect()) as client:
            for message in ("text", b"\0binary\xff", "x" * 500_000):
                client.send(message)
                assert client.recv() == message
        server.shutdown()
        thread.join()


def test_without_a_server_there_is_an_answer_that_says_so_and_later_the_servers_own(tmp_path: Path) -> None:
    with relayed(tmp_path / "s") as connect:
        for _ in range(2):
            client = http.client.HTTPConnection("localhost")
            client.sock = connect()
            client.request("POST", "/v1/jobs", body=bytes(1_000_000))
            answer = client.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert b"does not listen yet" in answer.read()
        with unix_server(tmp_path / "s", echo):
            last = connect()
            last.sendall(b"now")
            assert last.recv(10) == b"now"


def test_the_path_of_the_socket_may_be_long(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("er" * 60)
    folder.mkdir(parents=True)
    with relayed(folder / "gateway.sock", echo) as connect, connect() as client:
        client.sendall(b"x")
        assert client.recv(10) == b"x"


def test_more_connections_than_there_may_be_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.adapters.containers.relay.MAX_CONNECTIONS", 3)
    with relayed(tmp_path / "s", echo) as connect:
        held = [connect() for _ in range(3)]
        for client in held:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert b"more than 3 connections" in read_all(connect())
        held[0].close()
        # Its place is free again.
        for _ in range(int(HANG * 100)):
            with connect() as again:
                again.sendall(b"y")
                if again.recv(1) == b"y":
                    break
            threading.Event().wait(0.01)
        else:
            pytest.fail("the place was not freed")


def test_connections_leave_open_files_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(soft: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, soft))

    limit(1024)
    assert most_connections() == 416
    limit(1 << 20)
    assert most_connections() == 1000
    limit(64)
    assert most_connections() == 1


def test_it_ends_with_its_connections(tmp_path: Path) -> None:
    listener = bind_port(0)
    port = listener.getsockname()[1]
    with unix_server(tmp_path / "s", echo):
        with relaying(listener, tmp_path / "s"):
            client = socket.create_connection(("127.0.0.1", port), timeout=HANG)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=HANG)
    bind_port(port).close()


def test_a_port_that_is_taken_is_named_with_a_way_out() -> None:
    with bind_port(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"port {port} cannot be used: Address already in use") as caught:
            bind_port(port)
    assert "port=PORT" in caught.value.fix


def test_the_end_of_an_answer_does_not_wait_for_its_beginning_to_be_acknowledged() -> None:
    with bind_port(0) as listener, socket.create_connection(listener.getsockname()) as _:
        connection, _address = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
