"""The page at `/`: everybody gets its files, and nothing with them."""

import gzip
import re
from pathlib import Path

import pytest

from pycomfy.gateway.api.app_page import FILES, FOLDER
from tests.gateway.api.bench import ANN, KEYS, Bench, on_bench

MAX_PACKED = 400_000


def test_the_files_need_no_key_and_what_they_ask_for_does(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for path, (name, kind) in FILES.items():
            answer = await bench.client.get(path)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
            assert answer.content == (FOLDER / name).read_bytes()
        for path in ("/v1/interface", "/v1/jobs", "/docs"):
            assert (await bench.client.get(path)).status_code == 401
        for method in ("POST", "PUT", "DELETE"):
            assert (await bench.client.request(method, "/", headers=ANN)).status_code == 405

    on_bench(tmp_path, use, **KEYS)


def test_a_wrong_key_and_a_limit_do_not_keep_the_page_from_asking_for_another(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        for _ in range(5):
            assert (await bench.client.get("/", headers={"Authorization": "Bearer wrong"})).status_code == 200

    on_bench(tmp_path, use, **KEYS, PYCOMFY_RATE_LIMIT="1", PYCOMFY_RATE_BURST="1")


def test_the_page_runs_its_own_script_alone_and_asks_its_own_server_alone(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        page = await bench.client.get("/")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and page.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=|https?://", page.text)
        # Below whatever path a proxy has it.
        assert set(re.findall(r'(?:src|href)="([^"]*)"', page.text)) == {"./app.js", "./app.css", "./icon.svg"}

    on_bench(tmp_path, use)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_browser_has_is_not_sent_again(tmp_path: Path, method: str) -> None:
    async def use(bench: Bench) -> None:
        for path in FILES:
            plain = await bench.client.request(method, path, headers={"Accept-Encoding": "identity"})
            assert plain.headers["Cache-Control"] == "no-cache" and plain.headers["Vary"] == "Accept-Encoding"
            etag = plain.headers["ETag"]
            for had in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
                same = await bench.client.request(method, path, headers={"If-None-Match": had})
                assert (same.status_code, same.content) == (304, b""), had
            other = await bench.client.request(method, path, headers={"If-None-Match": '"x"'})
            assert other.status_code == 200
            assert int(plain.headers["Content-Length"]) == len((await bench.client.get(path)).content)

    on_bench(tmp_path, use)


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("", False), ("br", False), ("gzip;q=0", False)],
)
def test_the_files_are_packed_for_who_unpacks_them(tmp_path: Path, accepted: str, packed: bool) -> None:
    async def use(bench: Bench) -> None:
        request = bench.client.build_request("GET", "/app.js", headers={"Accept-Encoding": accepted})
        answer = await bench.client.send(request, stream=True)
        data = b"".join([piece async for piece in answer.aiter_raw()])
        assert ("Content-Encoding" in answer.headers) == packed
        assert (gzip.decompress(data) if packed else data) == (FOLDER / "app.js").read_bytes()

    on_bench(tmp_path, use)


@pytest.mark.parametrize(
    "path", ["/app.html", "/static/app.js", "/../settings.py", "/..%2fsettings.py", "/icon.svg%00", "/./x"]
)
def test_there_are_no_other_files(tmp_path: Path, path: str) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get(path)).status_code == 404

    on_bench(tmp_path, use)


def test_the_page_is_small_and_of_few_files() -> None:
    there = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert {path.name for path in there} == {name for name, _ in FILES.values()}
    assert sum(len(gzip.compress(path.read_bytes())) for path in there) < MAX_PACKED


def test_an_address_of_another_s_name_gets_no_page(tmp_path: Path) -> None:
    async def use(bench: Bench) -> None:
        assert (await bench.client.get("/", headers={"Host": "evil.example"})).status_code == 421

    on_bench(tmp_path, use)
