"""Who may call, how often, and from where."""

import asyncio
import base64
import hashlib
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi.routing import iter_route_contexts
from starlette.types import Message

from pycomfy.gateway.api.access import OPEN, PAGE, Buckets, Gate, Keys, parse_keys
from pycomfy.gateway.settings import BadSettings, read_settings
from tests.gateway.api.bench import ANN, BOB, GRAPH, KEYS, Bench, on_bench

SECRETS = {"PYCOMFY_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{key}".encode()).decode()}


# — every route —


def test_no_route_but_those_of_health_and_the_page_answers_without_a_key(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        app: Any = bench.client._transport.app  # type: ignore[attr-defined]
        seen = set()
        for context in iter_route_contexts(app.routes):
            path = str(context.path).replace("{path:path}", "x").replace("{id}", "x").replace("{hash}", "x")
            for method in context.methods or ():
                seen.add(path)
                status = (await bench.client.request(method, path)).status_code
                assert (status == 401) == (path not in OPEN | PAGE), (method, path, status)
            if not context.methods:
                assert await open_socket(app, path) == 401, path
        assert {"/v1/jobs", "/api/v2/jobs", "/metrics", "/openapi.json", "/comfyui/x", *OPEN, *PAGE} <= seen
        assert (await bench.client.get("/nothing/there")).status_code == 401, "what there is, is no public knowledge"

    on_bench(tmp_path, use, **KEYS)


async def open_socket(app: Any, path: str) -> int:
    """The status that a WebSocket without a key is answered with."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    scope |= {"subprotocols": [], "extensions": {"websocket.http.response": {}}, "client": None, "scheme": "ws"}
    await app({**scope, "server": None, "root_path": ""}, receive, send)
    status: int = sent[0]["status"]
    return status


def test_each_face_refuses_in_its_own_form(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        typed, official = await bench.client.get("/v1/jobs"), await bench.client.get("/api/v2/jobs")
        assert typed.headers["Content-Type"] == "application/problem+json"
        assert typed.headers["WWW-Authenticate"] == official.headers["WWW-Authenticate"] == "Bearer"
        assert typed.json()["code"] == official.json()["error"]["code"] == "unauthorized"
        page = await bench.client.get("/docs", headers={"Accept": "text/html,*/*"})
        assert page.headers["WWW-Authenticate"].startswith("Basic"), "a browser asks its user"

    on_bench(tmp_path, use, **KEYS)


def test_without_keys_everybody_may_call_whatever_key_they_send(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for headers in ({}, {"Authorization": "Bearer x"}, basic("x")):
            assert (await bench.client.get("/v1/jobs", headers=headers)).status_code == 200

    on_bench(tmp_path, use)


# — keys —


def test_a_key_sees_its_own_jobs_only(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit(ANN)).json()
        assert (await bench.client.get(job["urls"]["self"], headers=ANN)).status_code == 200
        assert (await bench.client.get(job["urls"]["self"], headers=BOB)).status_code == 404
        assert (await bench.client.post(job["urls"]["cancel"], headers=BOB)).status_code == 404
        listed = [(await bench.client.get("/v1/jobs", headers=h)).json()["jobs"] for h in (ANN, BOB)]
        assert [len(jobs) for jobs in listed] == [1, 0]

    on_bench(tmp_path, use, **KEYS)


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer key-of-an",
        "Bearer key-of-annn",
        "Bearer KEY-OF-ANN",
        "key-of-ann",
        "Token key-of-ann",
        "Basic !!!",
        "Basic " + base64.b64encode(b"key-of-ann").decode(),
        "Bearer \x80\xff",
    ],
)
def test_what_is_not_the_key_is_refused(tmp_path: Path, value: str) -> None:
    async def use(bench: Bench) -> None:
        headers = {"Authorization": value.encode("latin-1")}
        answer = await bench.client.get("/v1/jobs", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401

    on_bench(tmp_path, use, **KEYS)


def test_a_key_may_be_given_as_its_hash(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/v1/jobs", headers=ANN)).status_code == 200
        as_key = {"Authorization": f"Bearer {digest}"}
        assert (await bench.client.get("/v1/jobs", headers=as_key)).status_code == 401, "the hash is no key"

    digest = hashlib.sha256(b"key-of-ann").hexdigest()
    on_bench(tmp_path, use, PYCOMFY_API_KEYS=f"ann:sha256:{digest}")


@pytest.mark.parametrize(
    "entry", ["ann", ":key-of-ann", "a/b:key-of-ann", "ann:short", "ann:sha256:12", "ann:k ey of ann"]
)
def test_a_bad_key_is_refused_without_being_named(entry: str) -> None:
    with pytest.raises(BadSettings) as e:
        Gate(read_settings({"PYCOMFY_API_KEYS": f"bob:key-of-bob,{entry}"}))
    assert "key 2" in str(e.value)
    assert "short" not in str(e.value) and "key-of" not in str(e.value)


def test_keys_are_kept_as_hashes_alone_and_settings_do_not_show_secrets() -> None:
    [key] = parse_keys(["ann:key-of-ann"])
    assert key.digest == hashlib.sha256(b"key-of-ann").digest()
    settings = read_settings({**KEYS, **SECRETS, "PYCOMFY_STORAGE_TOKEN": "the-token"})
    for secret in ("key-of-ann", "MfKQ9r8", "the-token"):
        assert secret not in repr(settings) + repr(vars(Keys(settings)))


def keys_in(path: Path) -> tuple[Keys, list[float]]:
    now = [0.0]
    return Keys(read_settings({"PYCOMFY_API_KEYS_FILE": str(path)}), clock=lambda: now[0]), now


def write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write(path, "# ours\nann:key-of-ann\n\n")
    keys, now = keys_in(path)
    assert (keys.find("key-of-ann"), keys.find("key-of-bob")) == ("ann", None)
    write(path, "bob:key-of-bob\n")
    now[0] += 2
    assert (keys.find("key-of-ann"), keys.find("key-of-bob")) == (None, "bob")


@pytest.mark.parametrize("damage", ["ann:short-secret x", None, b"\xff\xfe"])
def test_keys_stay_when_their_file_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str | bytes | None
) -> None:
    path = tmp_path / "keys"
    write(path, "ann:key-of-ann\n")
    keys, now = keys_in(path)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    now[0] += 2
    assert keys.find("key-of-ann") == "ann"
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "short-secret" not in record.getMessage()


def test_a_file_without_keys_lets_nobody_in(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/v1/jobs")).status_code == 401

    write(tmp_path / "keys", "# none yet\n")
    on_bench(tmp_path, use, PYCOMFY_API_KEYS_FILE=str(tmp_path / "keys"))


def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="PYCOMFY_API_KEYS_FILE: No such file"):
        Gate(read_settings({"PYCOMFY_API_KEYS_FILE": str(tmp_path / "none")}))


# — public —


def test_a_public_gateway_runs_jobs_of_those_without_a_key_and_lists_none(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit()).json()
        assert (await bench.client.get(job["urls"]["self"])).status_code == 200
        assert (await bench.client.get("/api/v2/jobs/")).status_code != 200
        for path in ("/v1/jobs", "/api/v2/jobs", "/metrics", "/comfyui/system_stats"):
            assert (await bench.client.get(path)).status_code == 401, path
            assert (await bench.client.get(path, headers=ANN)).status_code != 401, path
        wrong = {"Authorization": "Bearer key-of-nobody"}
        assert (await bench.submit(wrong)).status_code == 401, "a wrong key is told, not taken for none"
        own = (await bench.submit(ANN)).json()
        assert (await bench.client.get(own["urls"]["self"])).status_code == 404

    on_bench(tmp_path, use, **KEYS, PYCOMFY_PUBLIC="1", PYCOMFY_EXPOSE_COMFYUI="1")


def test_metrics_may_be_public_alone(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/metrics")).status_code == 200
        assert (await bench.client.get("/v1/workflow")).status_code == 401

    on_bench(tmp_path, use, **KEYS, PYCOMFY_METRICS_PUBLIC="1")


# — limits —


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    now = [0.0]
    buckets = Buckets(2, 3, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0, "each has its own"
    now[0] += 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    now[0] += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5], "no more than a burst is saved"


def test_too_many_requests_of_a_key_are_told_when_to_come_back(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for _ in range(2):
            assert (await bench.client.get("/v1/jobs", headers=ANN)).status_code == 200
        refused = await bench.client.get("/v1/jobs", headers=ANN)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await bench.client.get("/v1/jobs", headers=BOB)).status_code == 200
        assert (await bench.client.get("/livez", headers=ANN)).status_code == 200

    on_bench(tmp_path, use, **KEYS, PYCOMFY_RATE_LIMIT="0.001", PYCOMFY_RATE_BURST="2")


def test_all_without_a_key_who_come_through_the_socket_share_one_limit_and_keys_do_not(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        async def ask(headers: dict[str, str] | None = None) -> int:
            # A connection each.
            async with (
                aiohttp.UnixConnector(str(path)) as connector,
                aiohttp.ClientSession("http://gateway", connector=connector) as session,
                session.get("/v1/workflow", headers=headers) as answer,
            ):
                return answer.status

        async with bench.listening() as path:
            assert [await ask() for _ in range(4)] == [200, 200, 200, 429]
            assert [await ask(ANN) for _ in range(3)] == [200, 200, 200], "a key has its own"
            wrong = {"Authorization": "Bearer no-key-at-all"}
            assert [await ask(wrong) for _ in range(4)] == [401, 401, 401, 429], "so have those who try keys"

    limit = {"PYCOMFY_RATE_LIMIT": "0.001", "PYCOMFY_RATE_BURST": "3"}
    on_bench(tmp_path, use, **KEYS, **limit, PYCOMFY_PUBLIC="1")


def test_without_a_limit_none_is_counted_through_the_socket(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        async with bench.web() as web:
            for _ in range(100):
                async with web.get("/v1/workflow") as answer:
                    assert answer.status == 200

    on_bench(tmp_path, use)


# — browsers —


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://gateway"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing_with_what_a_browser_sends_on_its_own(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.submit(headers)).status_code == 403
        upload = {"file": ("a.txt", b"a", "text/plain")}
        assert (await bench.client.post("/v1/files", files=upload, headers=headers)).status_code == 403
        assert (await bench.client.get("/v1/jobs", headers=headers)).json()["jobs"] == []

    on_bench(tmp_path, use)


def test_pages_of_its_own_and_of_named_origins_may(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for headers in (
            {"Origin": "http://gateway"},
            {"Origin": "https://app.test", "Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://portrait.test"},
            {"Origin": "https://proxied.test", "Sec-Fetch-Site": "same-origin"},
        ):
            assert (await bench.submit(headers)).status_code == 201, headers

    on_bench(tmp_path, use, PYCOMFY_CORS_ORIGINS="https://app.test", PYCOMFY_PUBLIC_URL="https://portrait.test")


def test_a_password_is_the_key_for_pages_of_its_own_only(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/openapi.json", headers=basic("key-of-ann"))).status_code == 200
        assert (await bench.submit({**basic("key-of-ann"), "Origin": "https://evil.test"})).status_code == 403
        assert (await bench.submit({**basic("key-of-ann"), "Origin": "http://gateway"})).status_code == 201

    on_bench(tmp_path, use, **KEYS)


def test_cors_is_off_unless_it_is_set(tmp_path: Path) -> None:
    ask = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}

    async def off(bench: Bench) -> None:
        for answer in (
            await bench.client.get("/v1/jobs", headers={"Origin": "https://app.test"}),
            await bench.client.options("/v1/jobs", headers=ask),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]

    async def on(bench: Bench) -> None:
        asked = await bench.client.options("/v1/jobs", headers=ask)
        assert asked.status_code == 200 and asked.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert (await bench.client.options("/v1/jobs", headers={**ask, "Origin": "https://b.test"})).status_code == 400
        answer = await bench.client.get("/v1/jobs", headers={"Origin": "https://app.test"})
        assert answer.status_code == 401, "with CORS a key is needed all the same"
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test", "and the page can read why"
        assert "Access-Control-Allow-Credentials" not in answer.headers

    on_bench(tmp_path / "a", off)
    on_bench(tmp_path / "b", on, **KEYS, PYCOMFY_CORS_ORIGINS="https://app.test")


@pytest.mark.parametrize("host", ["", 'a"b', "a b", "a/b", "<x>", "a,b", "[::1", "x" * 300])
def test_a_host_that_is_none_gets_into_no_link(tmp_path: Path, host: str) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/v1/jobs", headers={"Host": host})).status_code == 400

    on_bench(tmp_path, use)


def test_other_names_than_the_allowed_ones_are_refused(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/v1/jobs", headers={"Host": "rebound.test"})).status_code == 421
        assert (await bench.client.get("/v1/jobs", headers={"Host": "LOCALHOST:8000"})).status_code == 200
        assert (await bench.client.get("/livez", headers={"Host": "10.0.0.7:8000"})).status_code == 200

    on_bench(tmp_path, use, PYCOMFY_ALLOWED_HOSTS="localhost,127.0.0.1")


def test_comfyui_is_not_exposed_without_keys() -> None:
    with pytest.raises(BadSettings, match="PYCOMFY_EXPOSE_COMFYUI"):
        Gate(read_settings({"PYCOMFY_EXPOSE_COMFYUI": "1"}))


# — over a socket —


def test_a_websocket_takes_the_key_as_header_protocol_or_password(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit(ANN)).json()["id"]
        offered = "bearer." + base64.urlsafe_b64encode(b"key-of-ann").decode().rstrip("=")
        ways: list[dict[str, Any]] = [
            {"headers": ANN},
            {"protocols": ["pycomfy", offered]},
            {"headers": {**basic("key-of-ann"), "Origin": "http://gateway"}},
        ]
        async with bench.web() as web:
            for way in ways:
                async with web.ws_connect(f"/v1/jobs/{job}/ws", **way) as socket:
                    assert (await socket.receive_json())["event"] == "job"
                    assert socket.protocol == ("pycomfy" if "protocols" in way else None)
            refused: list[tuple[int, dict[str, Any]]] = [
                (401, {}),
                (401, {"headers": {"Authorization": "Bearer x"}}),
                (401, {"protocols": ["pycomfy", "bearer.eA"]}),
                (403, {"headers": {**basic("key-of-ann"), "Origin": "https://evil.test"}}),
            ]
            for status, way in refused:
                with pytest.raises(aiohttp.WSServerHandshakeError) as e:
                    await web.ws_connect(f"/v1/jobs/{job}/ws", **way)
                assert e.value.status == status

    on_bench(tmp_path, use, **KEYS)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: 2000\r\nExpect: 100-continue\r\n\r\n")
            assert b" 413 " in await reader.readline(), "not 100 Continue"
            writer.close()
            # Without a length it is counted.
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n" + b"200\r\n" + b"[" * 512 + b"\r\n200\r\n" + b"[" * 512)
            writer.write(b"\r\n200\r\n" + b"[" * 512 + b"\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 413 " in head and b"connection: close" in head.lower()
            writer.close()

    on_bench(tmp_path, use, PYCOMFY_MAX_BODY="1024")


def test_an_upload_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for size, status in ((100_000, 201), (2 << 20, 413), (100_001, 413)):
            upload = {"file": ("a.bin", bytes(size), "application/octet-stream")}
            assert (await bench.client.post("/v1/files", files=upload)).status_code == status, size
        many = [("file", (f"{n}.bin", b"x", "text/plain")) for n in range(50)]
        assert (await bench.client.post("/v1/files", files=many)).status_code in (400, 413, 422)

    on_bench(tmp_path, use, PYCOMFY_MAX_BODY="1024", PYCOMFY_MAX_UPLOAD="100000")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 3000 + b"\r\n",
        b"GET /livez?" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 300_000,
        b"GET /livez HTTP/1.1\r\nX: " + b"a" * 300_000,
    ],
)
def test_a_head_that_is_too_long_is_refused(tmp_path: Path, head: bytes) -> None:
    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            reader, writer = await asyncio.open_unix_connection(str(path))
            for start in range(0, len(head), 1000):
                writer.write(head[start : start + 1000])
                await asyncio.sleep(0)
            assert b" 431 " in await reader.readline()
            writer.close()
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            assert b" 200 " in await reader.readline(), "others go on"
            writer.close()

    on_bench(tmp_path, use, PYCOMFY_MAX_HEADER="4096")


def test_a_head_that_does_not_come_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.gateway.http_limits.HEAD_LIMIT", 0.2)

    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            for begun in (b"", b"GET /livez HT"):
                reader, writer = await asyncio.open_unix_connection(str(path))
                writer.write(begun)
                assert await reader.read() == b""
                writer.close()

    on_bench(tmp_path, use)


def test_a_body_that_stops_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.gateway.api.middleware.BODY_PAUSE", 0.2)

    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(
                b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
            assert b" 408 " in await reader.readline()
            writer.close()

    on_bench(tmp_path, use)


def test_every_answer_has_the_strict_headers_errors_too(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        async def fail(*given: object, **named: object) -> None:
            raise RuntimeError("a secret of ours")

        bench.gateway.store.find = fail  # type: ignore[method-assign,assignment]
        for path, status in (("/livez", 200), ("/v1/workflow", 200), ("/v1/x", 404), ("/v1/jobs", 500)):
            answer = await bench.client.get(path)
            assert answer.status_code == status
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Request-Id"]
            assert "secret" not in answer.text and "server" not in answer.headers

    on_bench(tmp_path, use)


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "a\x00b", "%00", "."])
def test_names_from_outside_are_no_paths(tmp_path: Path, name: str) -> None:
    async def use(bench: Bench) -> None:
        answer = await bench.client.get(f"/v1/files/{name.replace(chr(0), '%00')}/content")
        assert answer.status_code in (401, 404, 405, 422)
        upload = {"file": (name, b"a", "text/plain")}
        made = await bench.client.post("/v1/files", files=upload)
        assert made.status_code in (201, 422)
        assert sorted(p.name for p in tmp_path.parent.iterdir()) == before

    before = sorted(p.name for p in tmp_path.parent.iterdir())
    on_bench(tmp_path, use)


def test_the_graph_of_a_test_is_taken(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit()).json()
        assert (await bench.client.get(f"/api/v2/jobs/{job['id']}/workflow")).json()["workflow"] == GRAPH

    on_bench(tmp_path, use)
