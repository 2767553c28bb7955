"""The app: the workflow as a web page, of the files that pycomfy's `web/` was built to.

They hold nothing of the workflow, and need no key: the page asks the API for all else.
"""

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

FOLDER = Path(__file__).parents[1] / "static"

FILES = {
    "/": ("app.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""The files by path: no others can be asked for."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page. Results that need a key are fetched with it, and shown as `blob:`; previews come
within events, and are shown as `data:`."""

router = APIRouter()

_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True)
class _File:
    data: bytes
    packed: bytes
    etag: str


@cache
def _read(name: str) -> _File:
    data = (FOLDER / name).read_bytes()
    return _File(data, gzip.compress(data, 9, mtime=0), f'"{hashlib.sha256(data).hexdigest()[:32]}"')


def _answer(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        file = _read(name)
        # Weak: it is the same packed and plain. The names stay from release to release, so a browser asks each time.
        headers = {"ETag": f"W/{file.etag}", "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        headers["Content-Security-Policy"] = POLICY
        had = request.headers.get("if-none-match", "")
        if had.strip() == "*" or file.etag in _ETAG.findall(had):
            return Response(status_code=304, headers=headers)
        body = file.data
        if _GZIP.search(request.headers.get("accept-encoding", "")):
            body, headers["Content-Encoding"] = file.packed, "gzip"
        if request.method == "HEAD":
            headers["Content-Length"] = str(len(body))
            body = b""
        return Response(body, headers=headers, media_type=media_type)

    return answer


for _path, (_name, _type) in FILES.items():
    router.add_api_route(_path, _answer(_name, _type), methods=["GET", "HEAD"], include_in_schema=False)
