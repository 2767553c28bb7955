"""Servers are asked once and quickly, and whatever they answer is only an answer."""

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from pycomfy.adapters.io import reachability
from pycomfy.adapters.io.http_client import make_client
from pycomfy.adapters.io.reachability import Answer, ask, find_proxy, host_asked, look_up
from pycomfy.operation import Cancelled, Operation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers each connection with `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            try:
                while True:
                    connection = listener.accept()[0]
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def server(status: int = 200, body: bytes = b"", headers: Mapping[str, str] = {}) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def asked(url: str, read: int = 0) -> Answer:
    return ask(make_client(), url, now=NOW, read=read)


@pytest.mark.parametrize("status", [200, 204, 401, 404, 500, 503])
def test_any_status_is_an_answer(status: int) -> None:
    with server(status) as url:
        found = asked(url)
    assert (found.status, found.reached, found.good) == (status, True, status < 300) and found.error == ""


def test_of_the_body_no_more_is_read_than_was_asked_for() -> None:
    with server(body=b"x" * 100_000) as url:
        assert asked(url).body == b"" and asked(url, read=10).body == b"x" * 10


def test_a_login_is_never_shown() -> None:
    with server(403) as url:
        assert asked(url.replace("http://", "http://user:secret@")).url == url
    assert "secret" not in str(asked("http://user:secret@127.0.0.1:1/"))


def test_the_servers_clock_is_compared_with_ours() -> None:
    with server(headers={"Date": "Sun, 01 Mar 2026 12:05:00 GMT"}) as url:
        assert (found := asked(url).ahead) is not None and abs(found - timedelta(minutes=5)) < timedelta(minutes=1)
    with server(headers={"Date": "Sun, 01 Mar 2026 11:00:00 GMT", "Age": "3600"}) as url:
        assert (found := asked(url).ahead) is not None and abs(found) < timedelta(minutes=1)
    strange_ones: list[dict[str, str]] = [
        {"Date": "noon"},
        {"Date": "Sun, 01 Mar 2026 12:05:00 GMT", "Age": "9" * 99},
        {},
    ]
    for strange in strange_ones:
        with server(headers=strange) as url:
            found = asked(url).ahead
            assert found is None or found > timedelta(days=1000)


@pytest.mark.parametrize(
    "said", [b"", b"\x00\xff" * 100, b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000, b"HTTP/1.1 abc\r\n\r\n"]
)
def test_nonsense_is_no_answer(said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        with connection:
            connection.recv(1000)
            connection.sendall(said)

    with raw_server(talk) as url:
        found = asked(url)
    assert not found.reached and "127.0.0.1 does not answer" in found.error and found.fix


def test_nobody_is_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "SECONDS", 0.3)

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nA: ")
            try:
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.02)
            except OSError:
                pass

    with raw_server(drip) as url:
        found = asked(url)
    assert found.error == "127.0.0.1 does not answer within 0.3 seconds"


def test_a_cancelled_operation_asks_no_more() -> None:
    held = threading.Event()
    operation = Operation()

    def hold(connection: socket.socket) -> None:
        operation.cancel_scope.cancel()
        held.wait(60)
        connection.close()

    with raw_server(hold) as url, operation.running(), pytest.raises(Cancelled):
        asked(url)
    held.set()


def test_a_port_where_nobody_is_and_an_address_that_is_none_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "refused" in asked(f"http://127.0.0.1:{port}/").error
    assert not asked("http://[bad/").reached and not asked("http://a b/").reached


def test_names_that_nobody_knows_are_found_out() -> None:
    found = look_up(["https://name.invalid/x", "http://localhost/", "http://127.0.0.1/", "file:///x", "http://-bad/"])
    assert set(found) == {"name.invalid"} and found["name.invalid"].isprintable()
    assert look_up(["file:///x"]) == {}


def test_names_are_looked_up_in_a_process_that_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_LOOKUP_SECONDS", -1.0)
    assert "nobody answers" in look_up(["https://name.invalid/"])["name.invalid"]


def test_with_a_proxy_its_name_is_looked_up_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "inside.test")
    assert find_proxy("https://out.test/") == "http://proxy.invalid:3128"
    assert host_asked("https://out.test/") == "proxy.invalid" and host_asked("https://inside.test/") == "inside.test"
    assert find_proxy("https://inside.test/") is None and find_proxy("http://out.test/") is None
    assert set(look_up(["https://name.invalid/"])) == {"proxy.invalid"}
    monkeypatch.setenv("all_proxy", "proxy.invalid:1")
    assert find_proxy("http://out.test/") == "http://proxy.invalid:1"
