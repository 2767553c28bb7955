"""Stand-ins on this machine for Hugging Face and CivitAI, and for the hosts that they redirect downloads to.

Three real servers: `hub` and `civitai` answer and redirect to `files`, which is another origin, as with the real ones.
"""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tests.support.http_server import RequestHandler, serve_http

COMMIT = "c0ffee" + "0" * 34
TOKEN = "hf_the-token"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_bytes(seed: str, amount: int) -> bytes:
    """As many bytes as are asked for; no two blocks are alike."""
    blocks = (hashlib.sha256(f"{seed}{i}".encode()).digest() for i in range(amount // 32 + 1))
    return b"".join(blocks)[:amount]


@dataclass
class Asked:
    server: str
    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class Site:
    """`files` are by path on the third server. `gated` paths of the hub want the token.

    A path's `trouble` is what its next answers are, one each: a status, or "cut" (half of it, then the connection
    ends), "silent" (half of it, as if that were all), "unsized" (of unknown length), "wrong" (other bytes), "whole"
    (no ranges), "slow" (a late start). Downloads pause after `hold_at` bytes until they are told to go on (`let_go`).
    """

    hub: str = ""
    civitai: str = ""
    cdn: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    plain: dict[str, dict[str, bytes]] = field(default_factory=dict)
    versions: dict[int, dict[str, object]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    trouble: dict[str, list[int | str]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    headers: dict[str, str] = field(default_factory=dict)
    by_hash: bytes | None = None
    hold_at: int | None = None
    let_go: threading.Event = field(default_factory=threading.Event)
    asked: list[Asked] = field(default_factory=list)

    def add(self, repository: str, path: str, data: bytes, *, lfs: bool = True) -> str:
        """A file of a repository; its address, as people have it."""
        (self.repositories if lfs else self.plain).setdefault(repository, {})[path] = data
        self.files[f"/lfs/{sha256(data)}"] = data
        return f"{self.hub}/{repository}/resolve/main/{path}"

    def version(self, number: int, *files: tuple[str, bytes, str]) -> str:
        """A version on CivitAI, of (name, bytes, query) each, the first of them primary."""
        listed = []
        for i, (name, data, query) in enumerate(files):
            address = f"/api/download/models/{number}" + (f"?{query}" if query else "")
            self.files[f"/civitai{address}"] = data
            hashes = {"SHA256": sha256(data).upper(), "AutoV2": "ABC"}
            attributes = dict(pair.split("=") for pair in query.split("&")) if query else {"type": "Model"}
            listed.append(
                {
                    "id": i,
                    "name": name,
                    "sizeKB": 1.5,
                    "type": attributes.pop("type", "Model"),
                    "metadata": attributes,
                    "hashes": hashes,
                    "downloadUrl": f"https://civitai.com{address}",
                    **({"primary": True} if i == 0 else {}),
                }
            )
        self.versions[number] = {"id": number, "modelId": 1, "name": "v1", "files": listed}
        return f"{self.civitai}/api/download/models/{number}"

    def downloads(self, what: str = "") -> list[Asked]:
        """The requests to the third server."""
        return [a for a in self.asked if a.server == "files" and what in a.path]


@contextlib.contextmanager
def serve() -> Iterator[Site]:
    site = Site()
    with contextlib.ExitStack() as stack:
        site.hub, site.civitai, site.cdn = (
            stack.enter_context(serve_http(_handler(site, name))) for name in ("hub", "civitai", "files")
        )
        try:
            yield site
        finally:
            site.let_go.set()


def _handler(site: Site, name: str) -> type[RequestHandler]:
    class Handler(RequestHandler):
        def get(self) -> None:
            self._note()
            trouble = self._trouble()
            if isinstance(trouble, int):
                self.answer(trouble, b"no", {"Retry-After": "0"})
            elif name == "files":
                self._send(site.files.get(unquote(self.path)), trouble)
            else:
                self._hub()

        def post(self) -> None:
            self._note()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            trouble = self._trouble()
            if isinstance(trouble, int):
                self.answer(trouble, b"no")
                return
            _, _, _, *parts = self.path.split("/")
            repository = "/".join(parts[:-2])
            listed = [self._listed(repository, path) for path in body["paths"]]
            if repository not in {**site.repositories, **site.plain} or parts[-1] != COMMIT:
                self.answer(404, b"{}")
            else:
                self.answer(200, json.dumps([entry for entry in listed if entry is not None]).encode())

        def _listed(self, repository: str, path: str) -> dict[str, object] | None:
            data = site.repositories.get(repository, {}).get(path)
            if data is not None:
                lfs = {"oid": sha256(data), "size": len(data), "pointerSize": 135}
                return {"type": "file", "oid": "0" * 40, "size": len(data), "path": path, "lfs": lfs, "xetHash": "x"}
            data = site.plain.get(repository, {}).get(path)
            return None if data is None else {"type": "file", "oid": "0" * 40, "size": len(data), "path": path}

        def _hub(self) -> None:
            parts = urlsplit(self.path)
            if parts.path in site.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.answer(401 if self.headers.get("Authorization") is None else 403, b"{}")
            elif parts.path.startswith("/api/v1/model-versions/by-hash/"):
                if site.by_hash is not None:
                    self.answer(200, site.by_hash)
                    return
                wanted = parts.path.rsplit("/", 1)[-1]
                same = (v for v in site.versions.values() if f'"{wanted}"' in json.dumps(v))
                version = next(same, None)
                self.answer(404 if version is None else 200, json.dumps(version or {}).encode())
            elif parts.path.startswith("/api/v1/model-versions/"):
                found = site.versions.get(int(parts.path.rsplit("/", 1)[-1]))
                self.answer(200 if found else 404, json.dumps(found or {}).encode())
            elif parts.path.startswith("/api/download/"):
                self._redirect(f"{site.cdn}/civitai{self.path}", 307)
            elif "/revision/" in parts.path:
                repository = parts.path.removeprefix("/api/models/").split("/revision/")[0]
                known = repository in {**site.repositories, **site.plain}
                self.answer(200 if known else 404, json.dumps({"sha": COMMIT, "id": "x"}).encode())
            elif "/resolve/" in parts.path:
                repository, _, rest = parts.path.strip("/").partition("/resolve/")
                path = unquote(rest.partition("/")[2])
                data = site.repositories.get(repository, {}).get(path)
                if data is not None:
                    self._redirect(f"{site.cdn}/lfs/{sha256(data)}", 302)
                else:
                    self._send(site.plain.get(repository, {}).get(path), None)
            else:
                self.answer(404, b"{}")

        def _send(self, data: bytes | None, trouble: str | None) -> None:
            if data is None:
                self.answer(404, b"gone")
                return
            if trouble == "slow":
                time.sleep(0.3)
            if trouble == "wrong":
                data = bytes(b ^ 1 for b in data)
            wanted = self.headers.get("Range") if trouble != "whole" else None
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start >= len(data) and start > 0:
                self.answer(416, b"")
                return
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            for header, value in site.headers.items():
                self.send_header(header, value)
            if trouble not in ("silent", "unsized"):
                self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            rest = data[start:]
            if trouble in ("cut", "silent"):
                rest = rest[: len(rest) // 2]
            for i in range(0, len(rest), 1 << 16):
                self.wfile.write(rest[i : i + (1 << 16)])
                if site.hold_at is not None and i + (1 << 16) >= site.hold_at:
                    self.wfile.flush()
                    site.let_go.wait()

        def _redirect(self, url: str, status: int) -> None:
            self.answer(status, b"", {"Location": url})

        def _trouble(self) -> int | str | None:
            waiting = site.trouble.get(urlsplit(self.path).path) or site.trouble.get(self.path)
            return waiting.pop(0) if waiting else None

        def _note(self) -> None:
            auth = self.headers.get("Authorization")
            site.asked.append(Asked(name, self.command, self.path, self.headers.get("Range"), auth))

    return Handler
