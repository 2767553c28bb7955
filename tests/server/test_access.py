"""Who may ask the server, from where, and how much they may send."""

import asyncio
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from pycomfy.server.hosts import is_loopback
from pycomfy.services.studio.working_folders import MAX_UPLOAD
from pycomfy.services.workspace import Workspace
from tests.support.studio import BEARER, ORIGIN, TOKEN, WORKFLOW, studio

UPLOAD = {"content": json.dumps(WORKFLOW).encode(), "headers": {"origin": ORIGIN}}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with studio(Workspace.open(tmp_path)) as client:
        yield client


def log_in(client: TestClient) -> None:
    assert client.post("/api/session", json={"token": TOKEN}, headers={"origin": ORIGIN}).status_code == 204


def test_without_the_token_nothing_is_told(client: TestClient) -> None:
    for path in ("/api/workflows", "/api/session", "/api/openapi.json", "/api/operations", "/api/nothing"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "the address" in answer.json()["fixes"][0]["advice"]


def test_a_wrong_token_is_no_token(client: TestClient) -> None:
    assert client.get("/api/workflows", headers={"authorization": f"Bearer {TOKEN}x"}).status_code == 401
    assert client.post("/api/session", json={"token": ""}, headers={"origin": ORIGIN}).status_code == 401
    assert client.post("/api/session", json={"token": "é" * 20}, headers={"origin": ORIGIN}).status_code == 401


def test_a_program_sends_the_token_itself(client: TestClient) -> None:
    assert client.get("/api/workflows", headers=BEARER).json() == []


def test_a_page_changes_the_token_for_a_cookie_that_no_script_and_no_other_site_gets(client: TestClient) -> None:
    answer = client.post("/api/session", json={"token": TOKEN}, headers={"origin": ORIGIN})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    assert client.get("/api/workflows").json() == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8787", "", "a b"])
def test_a_name_that_was_made_to_point_here_is_refused_also_with_the_token(client: TestClient, host: str) -> None:
    for path in ("/api/workflows", "/"):
        assert client.get(path, headers={**BEARER, "host": host}).status_code == 403


def test_only_loopback_names_are_hosts() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.1:80", "localhost:9000", "LOCALHOST", "[::1]:8787")))
    assert not any(map(is_loopback, ("0.0.0.0", "127.0.0.1@evil.example", "localhost:8787:1", "[::2]", "127.0.0.1:x")))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9999", "null", "http://[", None])
def test_a_page_of_another_origin_changes_nothing_with_the_cookie(client: TestClient, origin: str | None) -> None:
    log_in(client)
    headers = {} if origin is None else {"origin": origin}
    answer = client.post("/api/workflows", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert client.post("/api/workflows?file=a.json", **UPLOAD).status_code == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_or_port_reads_nothing_with_the_cookie(client: TestClient, site: str) -> None:
    log_in(client)
    assert client.get("/api/workflows", headers={"sec-fetch-site": site}).status_code == 403
    assert client.get("/api/workflows", headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_no_other_page_hears_what_happens(client: TestClient) -> None:
    log_in(client)
    for headers in ({"origin": "https://evil.example"}, {}):
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("ws://127.0.0.1:8787/api/live", headers={"host": "127.0.0.1:8787", **headers}),
        ):
            pass
        assert refused.value.code == 1008
    with client.websocket_connect("ws://127.0.0.1:8787/api/live", headers={"host": "127.0.0.1:8787", "origin": ORIGIN}):
        pass


def test_every_answer_says_that_it_may_be_framed_and_guessed_at_by_nobody(client: TestClient) -> None:
    for answer in (client.get("/"), client.get("/api/workflows"), client.get("/api/workflows", headers=BEARER)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe-inline'" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: TestClient) -> None:
    said = {**BEARER, "content-length": str(MAX_UPLOAD + 1)}
    answer = client.post("/api/workflows", content=b"x", headers=said)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    answer = client.post("/api/operations", content=b"x", headers={**BEARER, "content-length": str((1 << 20) + 1)})
    assert answer.status_code == 413
    for length in ("-1", "abc", "9" * 30):
        assert (
            client.post("/api/workflows", content=b"x", headers={**BEARER, "content-length": length}).status_code == 413
        )


def test_a_gigabyte_is_refused_where_it_is_too_much_and_never_in_memory(client: TestClient) -> None:
    said = {**BEARER, "content-length": str(1 << 30)}
    assert client.post("/api/workflows", content=b"x", headers=said).status_code == 413
    piece, sent, said_back = b" " * (1 << 20), 0, list[int]()

    async def receive() -> Message:
        nonlocal sent
        sent += len(piece)
        return {"type": "http.request", "body": piece, "more_body": sent < 1 << 30}

    async def send(message: Message) -> None:
        said_back.append(message.get("status", 0))

    headers = [(b"host", b"127.0.0.1"), *((name.encode(), value.encode()) for name, value in BEARER.items())]
    scope = {"type": "http", "method": "POST", "path": "/api/workflows", "query_string": b"", "headers": headers}

    async def ask() -> None:
        await client.app({**scope, "http_version": "1.1", "scheme": "http"}, receive, send)

    tracemalloc.start()
    asyncio.run(ask())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said_back[0] == 413 and sent <= MAX_UPLOAD + len(piece) and peak < 32 << 20


def test_a_body_without_a_length_is_cut_off_where_it_becomes_too_large(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b" " * (1 << 14)

    answer = client.post("/api/operations", content=endless(), headers={**BEARER, "content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/%2e%2e/app.py", "/..%2f..%2fapp.py", "/assets/..%2f..%2f..%2fapp.py", "//etc/passwd", "/%00"],
)
def test_no_path_leads_out_of_the_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert "make_app" not in answer.text and "root:" not in answer.text
