"""A git server on this machine: real repositories over https, with a login if wanted, and their large files (LFS)."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_server import RequestHandler, serve_http

LFS = "application/vnd.git-lfs+json"


@dataclass
class GitServer:
    """`url` serves the repositories below `folder`. With `login` ("user:password"), nobody else is answered.

    `objects` are the large files by SHA-256; `seen` are the words on the command lines of this machine's processes
    that had the password in them while git was served.
    """

    folder: Path
    login: str = ""
    url: str = ""
    certificate: Path = Path()
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def with_login(self, path: str, login: str | None = None) -> str:
        return f"https://{login or self.login}@{self.url.removeprefix('https://')}/{path}"

    def pointer(self, data: bytes, *, keep: bool = True) -> str:
        """What git has instead of a large file, which the server then has."""
        sha256 = hashlib.sha256(data).hexdigest()
        if keep:
            self.objects[sha256] = data
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n"


@contextlib.contextmanager
def serve(root: Path, login: str = "") -> Iterator[GitServer]:
    """Serve until the block ends; what connects has to trust `certificate`."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    server = GitServer(root / "served", login, certificate=root / "certificate.pem")
    server.folder.mkdir(parents=True, exist_ok=True)
    key = str(server.certificate)
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", key]
    subprocess.run([*make, *subject], check=True, capture_output=True)

    class Handler(_Handler):
        state = server

    with serve_http(Handler, certificate=server.certificate) as server.url:
        yield server


class _Handler(RequestHandler):
    state: GitServer

    def get(self) -> None:
        self._serve(b"")

    def post(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        self.state.asked.append(path)
        if self.state.login:
            self._look_round()
            expected = "Basic " + base64.b64encode(self.state.login.encode()).decode()
            if self.headers.get("Authorization") != expected and not path.startswith("/objects/"):
                self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
                return
        if path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        elif path.startswith("/objects/"):
            self._object(path.rsplit("/", 1)[-1])
        else:
            self._git(path, query, body)

    def _look_round(self) -> None:
        password = self.state.login.partition(":")[2].encode()
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = process.read_bytes()
                if password in words:
                    self.state.seen.append(words.replace(b"\0", b" ").decode(errors="replace"))

    def _batch(self, question: Mapping[str, Any]) -> None:
        objects: list[dict[str, Any]] = []
        for wanted in question["objects"]:
            if wanted["oid"] in self.state.objects:
                href = {"href": f"{self.state.url}/objects/{wanted['oid']}", "header": {"X-Ticket": "for-this-file"}}
                objects.append({**wanted, "actions": {"download": href}})
            else:
                objects.append({**wanted, "error": {"code": 404, "message": "Object does not exist"}})
        self.answer(200, json.dumps({"transfer": "basic", "objects": objects}).encode(), {"Content-Type": LFS})

    def _object(self, sha256: str) -> None:
        if self.headers.get("X-Ticket") != "for-this-file":
            self.answer(403)
        else:
            self.answer(200, self.state.objects[sha256])

    def _git(self, path: str, query: str, body: bytes) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.state.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=True)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.answer(int(headers.pop("Status", "200").split()[0]), data, headers)
