"""A web server for files that breaks off, hangs and lies as it is told."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.http_server import RequestHandler, serve_http


@dataclass
class Site:
    """`files` are by path. `asked` are the requests: path, and the range that was asked for.

    A path's `trouble` is what its next answers are, one each: None for a good one, a status, or "cut" (half of it, then
    the connection ends), "silent" (half of it, as if that were all), "unsized" (of unknown length), "whole" (no
    ranges), "other part", "unnamed part" (a part that does not say which it is), "wrong, cut" (as "cut", other bytes),
    "hang" (half of it, and nothing more until `let_go`), "mute" (not even a status until then).
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    trouble: dict[str, list[int | str | None]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serve_files() -> Iterator[Site]:
    site = Site()
    with serve_http(_handler(site)) as site.url:
        try:
            yield site
        finally:
            site.let_go.set()


def _handler(site: Site) -> type[RequestHandler]:
    class Handler(RequestHandler):
        def get(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            waiting = site.trouble.get(self.path)
            trouble = waiting.pop(0) if waiting else None
            data = site.files.get(self.path)
            if trouble == "mute":
                self._hang()
            elif isinstance(trouble, int):
                self.send_response(trouble)
                self.end_headers()
            elif data is None:
                self.send_error(404)
            else:
                self._send(data, None if trouble == "whole" else wanted, trouble)

        def _send(self, data: bytes, wanted: str | None, trouble: str | None) -> None:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if trouble == "other part":
                start = max(0, start - 1)
            rest = data[start:]
            self.send_response(206 if wanted else 200)
            if wanted and trouble != "unnamed part":
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            if trouble not in ("silent", "unsized"):
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if trouble == "wrong, cut":
                rest = bytes(b ^ 1 for b in rest)
            if trouble in ("cut", "silent", "wrong, cut", "hang"):
                rest = rest[: len(rest) // 2]
            self.wfile.write(rest)
            if trouble == "hang":
                self._hang()

        def _hang(self) -> None:
            self.wfile.flush()
            site.hanging.set()
            site.let_go.wait()

    return Handler
