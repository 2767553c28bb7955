"""What servers send: a body that was packed to become far larger, or in a way that was not asked for."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from pycomfy.adapters.io.download import read
from pycomfy.errors import NetworkError
from tests.support.http_server import RequestHandler, serve_http

LIMIT = 1_000_000
ZEROS = bytes(64_000_000)
BODIES = {
    "/plain": ("", b"hello"),
    "/gzip": ("gzip", gzip.compress(b"hello")),
    "/full": ("gzip", gzip.compress(bytes(LIMIT))),
    "/longer": ("gzip", gzip.compress(bytes(LIMIT + 1))),
    "/bomb": ("gzip", gzip.compress(ZEROS)),
    "/twice": ("gzip, gzip", gzip.compress(gzip.compress(ZEROS))),
    "/zstd": ("zstd", b"(\xb5/\xfd" + bytes(100)),
    "/deflate": ("deflate", zlib.compress(ZEROS)),
    "/broken": ("gzip", b"this is not gzip"),
    "/control": ("x\x1b[2J", b""),
}


class Server(RequestHandler):
    def get(self) -> None:
        assert self.headers["Accept-Encoding"] == "gzip"
        encoding, body = BODIES[self.path]
        self.answer(200, body, {"Content-Encoding": encoding} if encoding else {})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_http(Server) as found:
        yield found


@pytest.mark.parametrize("path", ["/plain", "/gzip"])
def test_a_body_is_unpacked(url: str, path: str) -> None:
    assert read(url + path, limit=LIMIT) == b"hello"


def test_the_limit_is_of_the_unpacked_body(url: str) -> None:
    assert len(read(url + "/full", limit=LIMIT)) == LIMIT
    with pytest.raises(NetworkError, match=f"more than {LIMIT} bytes"):
        read(url + "/longer", limit=LIMIT)


@pytest.mark.parametrize("path", ["/bomb", "/twice", "/zstd", "/deflate"])
def test_no_more_is_unpacked_than_the_limit(url: str, path: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NetworkError, match=r"more than|other than gzip"):
            read(url + path, limit=LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 10 * LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["/broken", "/control"])
def test_what_is_not_gzip_is_an_error_of_the_server(url: str, path: str) -> None:
    with pytest.raises(NetworkError):
        read(url + path, limit=LIMIT)
