"""Callers who mean harm: with a key, without one, slow ones, and pages in a browser."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway import http_limits
from pycomfy.gateway.api import middleware
from pycomfy.gateway.assets import blobs
from pycomfy.gateway.launch import STORAGE_SECRETS, plan_environment
from pycomfy.gateway.places import Places
from pycomfy.gateway.settings import Settings
from tests.gateway.api.bench import ANN, BOB, GRAPH, KEYS, Bench, on_bench

JSON = {"Content-Type": "application/json"}
DEEP = "[" * 100 + "]" * 100
"""The store could write 200 and more, and not read them again."""


def graph_with(value: str) -> str:
    """A request, with `value` as it stands."""
    return json.dumps({"workflow": {"1": {"class_type": "Save", "inputs": {"text": 0}}}}).replace(" 0", f" {value}")


# — values —


@pytest.mark.parametrize(
    "value", [DEEP, "[" * 900 + "]" * 900, '"\\ud800"', '{"\\udfff": 1}', "NaN", "-Infinity", "1e999", "1" + "0" * 30]
)
def test_a_value_that_could_not_be_read_again_is_refused_and_stops_no_job(tmp_path: Path, value: str) -> None:
    async def use(bench: Bench) -> None:
        refused = await bench.client.post("/api/v2/jobs", content=graph_with(value), headers=JSON)
        assert refused.status_code == 422, refused.text
        assert (await bench.submit()).status_code == 201
        claimed = await bench.gateway.store.claim("0", lease=30)
        assert claimed is not None
        assert claimed.request.graph == GRAPH

    on_bench(tmp_path, use)


def test_a_value_may_be_as_large_as_seeds_are_and_as_deep_as_nodes_need(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for value in (str(2**64 - 1), "[" * 50 + "]" * 50, '"\\ud83d\\ude00"', "1e300"):
            assert (await bench.client.post("/api/v2/jobs", content=graph_with(value), headers=JSON)).status_code == 201

    on_bench(tmp_path, use)


# — bodies —


async def pieces(size: int, head: bytes = b"") -> AsyncIterator[bytes]:
    yield head
    for _ in range(size >> 16):
        yield b"x" * (1 << 16)


def test_a_body_is_as_large_as_a_file_only_where_files_are_taken(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        for path in ("/v1/jobs", "/v1/batches", "/api/v2/jobs", "/api/v2/assets/from-hash"):
            answer = await bench.client.post(path, content=pieces(1 << 20), headers=headers)
            assert answer.status_code == 413, path
            told = await bench.client.post(path, content=b"", headers={**headers, "Content-Length": str(1 << 20)})
            assert told.status_code == 413, path
        form = {"content_type": "text/plain", "file_path": "a.txt"}
        upload = await bench.client.post("/api/v2/assets", data=form, files={"file": b"x" * (1 << 20)})
        assert upload.status_code == 201

    on_bench(tmp_path, use, PYCOMFY_MAX_BODY="65536")


def test_the_bodies_of_one_caller_take_bounded_memory_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "SMALL_BODY", 1000)

    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n%bContent-Length: 10000\r\n\r\n" + b"x" * 9900
            bob, ann = (b"Authorization: %b\r\n" % who["Authorization"].encode() for who in (BOB, ANN))
            both = [await asyncio.open_unix_connection(str(path)) for _ in range(middleware.LARGE_BODIES + 1)]
            for _, writer in both:
                writer.write(head % bob)
            reads = [asyncio.create_task(reader.read()) for reader, _ in both]
            [refused], _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            assert refused.result().startswith(b"HTTP/1.1 429 ")
            assert b"retry-after: 1" in refused.result().lower()
            assert (await bench.submit(headers=BOB)).status_code == 201, "a small one is always taken"
            for _, writer in both:
                writer.close()
            await asyncio.wait(reads)
            answer, _ = await talk(path, head % ann + b"x" * 100)
            assert answer.startswith(b"HTTP/1.1 4"), "it is read, and no JSON"
            assert b"429" not in answer[:20]
            for _ in range(100):
                answer, _ = await talk(path, head % bob + b"x" * 100)
                if b"429" not in answer[:20]:
                    break
            assert b"429" not in answer[:20], "what is gone counts no more"

    on_bench(tmp_path, use, **KEYS, PYCOMFY_MAX_BODY="10000")


def test_uploads_leave_space_on_the_disk_for_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(bench: Bench) -> None:
        monkeypatch.setattr(blobs, "KEEP_FREE", 1 << 60)
        monkeypatch.setattr(blobs, "PART_FREE", 1)
        upload = await bench.client.post("/v1/files", files={"file": b"x"})
        assert upload.status_code == 507
        assert upload.json()["code"] == "storage_full"
        assert (await bench.submit()).status_code == 201

    on_bench(tmp_path, use)


async def talk(path: Path, *sent: bytes, repeat: int = 0) -> tuple[bytes, bool]:
    """What the server answers, and whether it disconnected; the last of `sent` is sent `repeat` times more."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    answer, closed = b"", False
    try:
        for piece in (*sent, *[sent[-1]] * repeat):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while piece := await reader.read(1 << 16):
                answer += piece
        closed = True
    except ConnectionError:
        closed = True
    except TimeoutError:
        pass
    writer.close()
    return answer, closed


def test_who_is_refused_cannot_go_on_sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "REFUSED_SECONDS", 0.2)

    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
            answer, closed = await talk(path, head)
            assert answer.startswith(b"HTTP/1.1 401 ")
            assert closed

    on_bench(tmp_path, use, **KEYS)


def test_few_requests_of_a_connection_wait_for_the_answer_of_another(tmp_path: Path) -> None:
    """Ten megabytes of them would be a gigabyte in memory, without a key."""

    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            answer, closed = await talk(path, b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
            heads = [part.partition(b"\r\n\r\n")[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
            assert [head[:4] for head in heads] == [b"401 "] * (http_limits.MAX_WAITING + 1)
            assert b"connection: close" in heads[-1].lower()
            assert closed

    on_bench(tmp_path, use, **KEYS)


@pytest.mark.parametrize("bad", [b"GET / HTTP/9.9 x\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"])
def test_what_is_malformed_is_not_answered_before_or_within_the_answer_to_another(tmp_path: Path, bad: bytes) -> None:
    """Who sends requests of several users over one connection would give them one another's answers."""

    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            answer, closed = await talk(path, b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n" + bad)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.count(b"HTTP/1.1 ") == 1
            assert closed
            answer, closed = await talk(path, bad)
            assert answer.startswith(b"HTTP/1.1 4") and closed

    on_bench(tmp_path, use)


def test_pings_of_a_client_that_does_not_read_are_not_answered_without_end(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit()).json()["id"]
        upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        pings = (b"\x89\xfd" + bytes(4) + b"x" * 125) * 1000
        async with bench.listening() as path:
            reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 12)
            writer.write(f"GET /v1/jobs/{job}/ws HTTP/1.1\r\nHost: x\r\n".encode() + upgrade + key + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(100):
                writer.write(pings)
                await writer.drain()
            writer.write_eof()
            answered = 0
            while data := await reader.read(1 << 16):
                answered += len(data)
            assert answered < 2 << 20, "of 13 MB"
            writer.close()

    on_bench(tmp_path, use)


def test_a_file_is_not_read_for_a_client_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(middleware, "LARGE_PIECE", 1)  # reading it all would take minutes

    async def use(bench: Bench) -> None:
        form = {"content_type": "text/plain", "file_path": "a.txt"}
        made = await bench.client.post("/api/v2/assets", data=form, files={"file": bytes(4 << 20)})
        async with bench.listening() as path:
            reader, writer = await asyncio.open_unix_connection(str(path))
            address = f"/api/v2/assets/{made.json()['id']}/content"
            writer.write(f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b" 200 " in await reader.readline()
            writer.close()

    on_bench(tmp_path, use)
    assert "graceful shutdown exceeded" not in caplog.text


def test_few_files_are_sent_in_large_pieces_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "LARGE_PIECES", 1)
    content = bytes(range(256)) * 10_000

    async def use(bench: Bench) -> None:
        form = {"content_type": "text/plain", "file_path": "a.txt"}
        made = await bench.client.post("/api/v2/assets", data=form, files={"file": content})
        async with bench.web() as web:
            address = f"/api/v2/assets/{made.json()['id']}/content"
            answers = [await web.get(address) for _ in range(3)]
            assert [await answer.read() for answer in answers] == [content] * 3

    on_bench(tmp_path, use)


@pytest.mark.parametrize("key", [b"", b"Authorization: Bearer key-of-ann\r\n"])
def test_what_comes_after_a_body_is_not_kept(tmp_path: Path, key: bytes) -> None:
    async def use(bench: Bench) -> None:
        async with bench.listening() as path:
            head = (
                b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" + key + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
            )
            trailers = b"".join(b"x-%d: %s\r\n" % (i, b"a" * 1000) for i in range(100))
            _, closed = await talk(path, head, trailers, repeat=50)
            assert closed
            _, closed = await talk(path, head + b"x: ", b"a" * 100_000, repeat=50)
            assert closed

    on_bench(tmp_path, use, **KEYS)


# — pages —


@pytest.mark.parametrize("path", ["/v1/workflow", "/v1/jobs", "/api/v2/jobs", "/openapi.json", "/metrics", "/docs"])
def test_a_page_whose_name_leads_to_a_gateway_without_keys_gets_nothing(tmp_path: Path, path: str) -> None:
    async def use(bench: Bench) -> None:
        for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "a.com."):
            page = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            assert (await bench.client.get(path, headers=page)).status_code == 421, host
        for host in ("127.0.0.1:8000", "localhost:8000", "[::1]:8000", "gateway", "x.localhost", "g.default.svc"):
            assert (await bench.client.get(path, headers={"Host": host})).status_code == 200, host

    on_bench(tmp_path, use)


def test_names_are_free_where_there_are_keys_or_the_deployment_says_so(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        headers = {"Host": "api.example", **ANN}
        assert (await bench.client.get("/v1/workflow", headers=headers)).status_code == 200

    on_bench(tmp_path / "keys", use, **KEYS)
    on_bench(tmp_path / "named", use, PYCOMFY_ALLOWED_HOSTS="api.example")
    on_bench(tmp_path / "any", use, PYCOMFY_ALLOWED_HOSTS="*")
    on_bench(tmp_path / "url", use, PYCOMFY_PUBLIC_URL="https://api.example")
    on_bench(tmp_path / "public", use, PYCOMFY_PUBLIC="1")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9000"])
def test_a_form_of_another_page_starts_no_job(tmp_path: Path, kind: str, origin: str) -> None:
    async def use(bench: Bench) -> None:
        headers = {"Host": "127.0.0.1:8000", "Origin": origin, "Content-Type": kind}
        for path in ("/v1/jobs", "/api/v2/jobs", "/v1/files", "/api/v2/assets", "/v1/batches"):
            assert (await bench.client.post(path, content=b"{}", headers=headers)).status_code == 403

    on_bench(tmp_path, use)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "image/png"])
def test_a_file_acts_in_no_browser(tmp_path: Path, kind: str) -> None:
    async def use(bench: Bench) -> None:
        form = {"content_type": kind, "file_path": 'a"\r\nSet-Cookie: x=y\r\n\r\n<script>.html'}
        asset = (await bench.client.post("/api/v2/assets", data=form, files={"file": b"<script>"})).json()
        answer = await bench.client.get(f"/api/v2/assets/{asset['id']}/content")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
        assert answer.headers["Content-Disposition"].startswith("inline" if kind == "image/png" else "attachment")
        assert "Set-Cookie" not in answer.headers

    on_bench(tmp_path, use)


# — other callers —


def test_another_key_gets_at_no_file_batch_or_repeated_job(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        client = bench.client
        file = (await client.post("/v1/files", files={"file": b"secret"}, headers=ANN)).json()
        own = f"/v1/files/{file['id']}"
        for method, path in (("GET", own), ("GET", f"{own}/content"), ("HEAD", f"{own}/content"), ("DELETE", own)):
            assert (await client.request(method, path, headers=BOB)).status_code == 404, (method, path)
        mint = await client.post("/api/v2/assets/from-hash", json={"hash": file["hash"]}, headers=BOB)
        assert mint.status_code == 404
        reference = {"__type": "core/ASSET", "info": {"id": file["id"], "hash": file["hash"]}}
        for value in (reference, [reference], {"a": [reference]}):
            graph = {"1": {"class_type": "Save", "inputs": {"text": value}}}
            used = await client.post("/api/v2/jobs", json={"workflow": graph}, headers=BOB)
            assert used.json()["error"]["code"] == "missing_asset"
        key = {"Idempotency-Key": "1"}
        assert (await bench.submit({**ANN, **key})).status_code == 201
        assert (await bench.submit({**BOB, **key})).status_code == 201, "a key is its owner's"

    on_bench(tmp_path, use, **KEYS)


def test_those_without_a_key_do_not_learn_of_one_another_s_jobs(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        key = {"Idempotency-Key": "1"}
        first = (await bench.submit(key)).json()["id"]
        again = await bench.submit(key)
        assert again.status_code == 422
        assert first not in again.text

    on_bench(tmp_path, use, PYCOMFY_PUBLIC="1", **KEYS)


def test_keys_cannot_be_guessed_faster_than_the_limit(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        guesses = [
            (await bench.client.get("/v1/jobs", headers={"Authorization": f"Bearer guess-{i}"})).status_code
            for i in range(6)
        ]
        assert guesses == [401] * 4 + [429] * 2
        assert (await bench.client.get("/v1/jobs", headers=ANN)).status_code == 200, "others are not kept waiting"

    on_bench(tmp_path, use, PYCOMFY_RATE_LIMIT="0.001", PYCOMFY_RATE_BURST="4", **KEYS)


def test_a_socket_that_is_left_is_free_for_others(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        job = (await bench.submit()).json()["id"]
        async with bench.web() as web:
            async with web.ws_connect(f"/v1/jobs/{job}/ws") as socket:
                await socket.receive()
                await socket.send_str("nobody reads this")
            async with asyncio.timeout(20):
                while bench.gateway.streams:
                    await asyncio.sleep(0.01)

    on_bench(tmp_path, use)


def test_the_gateway_can_be_looked_into_by_root_alone() -> None:
    program = "from pycomfy.gateway import kernel; kernel.keep_memory_private(); import ctypes, sys;"
    program += "sys.exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert subprocess.run([sys.executable, "-c", program.replace("kernel.keep_memory_private(); ", "")]).returncode == 1


def test_no_secret_of_the_gateway_is_in_the_environment_of_node_packs(tmp_path: Path) -> None:
    fields: dict[str, Any] = dict(Settings.model_fields)
    marked = {f"PYCOMFY_{name.upper()}" for name, f in fields.items() if (f.json_schema_extra or {}).get("x-secret")}
    given = dict.fromkeys((*marked, *STORAGE_SECRETS, "MINE"), "x")
    assert set(plan_environment(Places(data=tmp_path), given)) & given.keys() == {*STORAGE_SECRETS, "MINE"}
    stored = plan_environment(Places(data=tmp_path), {**given, "PYCOMFY_STORAGE": "s3://bucket/x"})
    assert set(stored) & given.keys() == {"MINE"}


def test_a_form_has_few_parts(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        form = {"content_type": "text/plain", "file_path": "a.txt"}
        many = [("file", ("x", b"x"))] * 100
        for data, files in (
            ({**form, **{f"x{i}": "y" for i in range(1000)}}, many[:1]),
            (form, many),
            ({**form, "x": "y" * (1 << 20)}, many[:1]),
        ):
            answer = await bench.client.post("/api/v2/assets", data=data, files=files)
            assert answer.status_code in (400, 413, 422), answer.text

    on_bench(tmp_path, use)


def test_a_sweep_multiplies_no_long_text(tmp_path: Path) -> None:
    parameters = [
        {"name": name, "type": kind, "targets": [{"node": "1", "input": name}], "default": default}
        for name, kind, default in (("text", "text", "a"), ("seed", "integer", 1))
    ]
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "interface.json").write_text(json.dumps({"version": 1, "parameters": parameters}))

    async def use(bench: Bench) -> None:
        sweep = {"seed": {"start": 1, "stop": 100}}
        for text, status in (("x", 202), ("x" * 30_000, 422)):
            answer = await bench.client.post("/v1/batches", json={"inputs": [{"text": text}], "sweep": sweep})
            assert answer.status_code == status, answer.text
        assert answer.json()["code"] == "batch_too_large"

    on_bench(tmp_path, use, PYCOMFY_MAX_BODY="65536")
