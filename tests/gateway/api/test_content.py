"""The bytes of files, and those that the caller has already."""

import random
from pathlib import Path

import pytest

from pycomfy.gateway.api.middleware import LARGE_PIECE, SMALL_FILE
from tests.gateway.api.bench import ANN, BOB, KEYS, Bench, on_bench

DATA = b"0123456789"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("face", ["/api/v2/assets", "/v1/files"])
def test_bytes_that_the_caller_has_are_not_sent_again(tmp_path: Path, face: str, method: str) -> None:
    async def use(bench: Bench) -> None:
        form = {"content_type": "image/png", "file_path": "a.png"}
        made = await bench.client.post("/api/v2/assets", files={"file": DATA}, data=form, headers=ANN)
        path = f"{face}/{made.json()['id']}/content"

        async def ask(**headers: str) -> tuple[int, bytes]:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await bench.client.request(method, path, headers={**ANN, **given})
            if answer.status_code == 304:
                assert (answer.headers["ETag"], answer.content) == (etag, b"")
                assert answer.headers["Cache-Control"] == first.headers["Cache-Control"]
            return answer.status_code, answer.content

        def sent(data: bytes) -> bytes:
            return data if method == "GET" else b""

        first = await bench.client.request(method, path, headers=ANN)
        etag = first.headers["ETag"]
        assert (first.status_code, first.content) == (200, sent(DATA))
        assert etag.startswith('"blake3:')
        for same in (etag, f"W/{etag}", f'"other", {etag}', f' W/"x" ,{etag}', "*", f'"a, b", {etag}'):
            assert (await ask(If_None_Match=same))[0] == 304, same
        assert (await ask(If_None_Match=etag, Range="bytes=0-1"))[0] == 304
        for other in ('"other"', "", etag.strip('"'), '"*"', "W/", '"blake3:"'):
            assert await ask(If_None_Match=other) == (200, sent(DATA)), other
        assert await ask(If_None_Match='"other"', Range="bytes=2-3") == (206, sent(b"23"))
        refused = await bench.client.request(method, path, headers={**BOB, "If-None-Match": etag})
        assert refused.status_code == 404, "whether it exists is not told to others"

    on_bench(tmp_path, use, **KEYS)


@pytest.mark.parametrize("size", [0, 1, SMALL_FILE - 1, SMALL_FILE, SMALL_FILE + 1, SMALL_FILE + LARGE_PIECE, 3 << 20])
def test_files_of_any_size_come_whole_and_in_parts(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)

    async def use(bench: Bench) -> None:
        form = {"content_type": "image/png", "file_path": "a.png"}
        made = await bench.client.post("/api/v2/assets", files={"file": data}, data=form, headers=ANN)
        path = f"/api/v2/assets/{made.json()['id']}/content"
        whole = await bench.client.get(path, headers=ANN)
        assert (whole.status_code, whole.content, whole.headers["content-length"]) == (200, data, str(size))
        head = await bench.client.head(path, headers=ANN)
        assert (head.content, head.headers["content-length"]) == (b"", str(size))
        if size:
            part = await bench.client.get(path, headers={**ANN, "Range": f"bytes={size // 2}-"})
            assert (part.status_code, part.content) == (206, data[size // 2 :])

    on_bench(tmp_path, use, **KEYS)


def test_the_api_is_described_with_it(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        paths = (await bench.client.get("/openapi.json")).json()["paths"]
        for path in ("/api/v2/assets/{id}/content", "/v1/files/{id}/content"):
            for method in ("get", "head"):
                operation = paths[path][method]
                assert "304" in operation["responses"]
                assert "content" not in operation["responses"]["304"]
                assert "If-None-Match" in [parameter["name"] for parameter in operation["parameters"]]

    on_bench(tmp_path, use)
