"""Models that the lock pins: found, missed, fetched, continued and verified, from a real server."""

import asyncio
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.missing import describe_missing
from pycomfy.gateway.models import (
    ModelFetcher,
    find_missing,
    find_token,
    read_models,
    source_url,
)

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """Gives `CONTENT` at any path but those that say how they fail, each once."""

    asked: list[tuple[str, str | None, str | None]]
    failed: set[str]

    def do_GET(self) -> None:
        kind = self.path.rsplit("/", 1)[-1]
        self.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        first = self.path not in self.failed
        self.failed.add(self.path)
        if kind == "gone":
            return self.send_error(404)
        if kind == "busy" and first:
            return self.send_error(503)
        start = int(found[1]) if (found := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        content = CONTENT[::-1] if kind == "other" else CONTENT
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : len(content) // 2] if kind == "cut" and first else content[start:])
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[str, type[Hub]]]:
    handler = type("OneHub", (Hub,), {"asked": [], "failed": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def lock(*sources: dict[str, Any], size: int | None = len(CONTENT)) -> dict[str, Any]:
    entry = {"folder": "checkpoints", "name": "a/b.safetensors", "sha256": SHA256, "size": size}
    return {"models": [{**entry, "sources": list(sources)}]}


async def fetch(folder: Path, *urls: str, size: int | None = len(CONTENT)) -> dict[str, str]:
    fetcher = ModelFetcher(folder, {})
    await fetcher.fetch(read_models(lock(*({"kind": "url", "url": url} for url in urls), size=size)))
    return fetcher.failures


def test_a_model_is_missing_where_it_is_not_or_has_another_size(tmp_path: Path) -> None:
    models = read_models(lock())
    path = tmp_path / "checkpoints" / "a" / "b.safetensors"
    missing = [model.location for model in find_missing(models, tmp_path)]
    assert describe_missing(missing) == "models are missing: checkpoints/a/b.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"short")
    assert find_missing(models, tmp_path) == models
    path.write_bytes(CONTENT)
    assert find_missing(models, tmp_path) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../x", "a\0b"])
def test_a_lock_names_no_model_elsewhere(name: str) -> None:
    for model in read_models({"models": [{"folder": "x", "name": name, "sha256": SHA256}, None, 3]}):
        assert Path("/models", model.location).resolve().is_relative_to("/models/x")


@pytest.mark.parametrize("kind", ["file", "busy", "cut"])
def test_a_model_arrives_whole_also_after_a_refusal_or_a_cut(
    tmp_path: Path, hub: tuple[str, type[Hub]], kind: str
) -> None:
    assert asyncio.run(fetch(tmp_path, f"{hub[0]}/{kind}")) == {}
    assert (tmp_path / "checkpoints" / "a" / "b.safetensors").read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "checkpoints" / "a").iterdir()] == ["b.safetensors"]
    if kind == "cut":
        assert (hub[1].asked[-1][1] or "").startswith("bytes="), "it was continued"


def test_a_fetch_continues_what_an_earlier_process_left(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    folder = tmp_path / "checkpoints" / "a"
    folder.mkdir(parents=True)
    (folder / ".b.safetensors.part").write_bytes(CONTENT[:1000])
    assert asyncio.run(fetch(tmp_path, f"{hub[0]}/file")) == {}
    assert hub[1].asked == [("/file", "bytes=1000-", None)]
    assert (folder / "b.safetensors").read_bytes() == CONTENT


def test_other_bytes_are_refused_and_the_next_address_is_asked(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    failures = asyncio.run(fetch(tmp_path, f"{hub[0]}/other", f"{hub[0]}/gone"))
    assert set(failures) == {"checkpoints/a/b.safetensors"}
    assert "SHA-256" in failures["checkpoints/a/b.safetensors"]
    assert "HTTP 404: it is not there" in failures["checkpoints/a/b.safetensors"]
    assert not (tmp_path / "checkpoints" / "a" / "b.safetensors").exists()
    assert asyncio.run(fetch(tmp_path, f"{hub[0]}/gone", f"{hub[0]}/file")) == {}


def test_a_token_goes_to_its_hub_alone() -> None:
    environment = {"HF_TOKEN": "secret", "HF_ENDPOINT": "http://mirror/"}
    file = {"kind": "huggingface", "repository": "a/b", "revision": "c", "path": "d e.bin"}
    assert source_url(file, environment) == "http://mirror/a/b/resolve/c/d%20e.bin"
    assert find_token(file, environment) == "secret"
    assert find_token({"kind": "url", "url": "http://x"}, environment) is None
    assert source_url({"kind": "civitai", "version": 3, "query": "type=Model"}, {}) == (
        "https://civitai.com/api/download/models/3?type=Model"
    )
    assert source_url({"kind": "new"}, {}) is None
