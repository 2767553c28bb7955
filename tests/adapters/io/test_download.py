import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pycomfy.adapters.io import http_client
from pycomfy.adapters.io.download import File, fetch, fetch_all, fetch_unpinned, read
from pycomfy.adapters.metadata.load import read_workflow
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.errors import BadInput, ErrorGroup, HashMismatch, NetworkError, PycomfyError


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Site:
    """A web server of our own. `breaks` says how often a path is cut off half-way, `busy` how often it answers 503."""

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.asked.append((self.path, wanted))
            if site.busy.get(self.path, 0) > 0:
                site.busy[self.path] -= 1
                self.send_response(503)
                self.end_headers()
                return
            data = site.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if site.breaks.get(self.path, 0) > 0:
                site.breaks[self.path] -= 1
                self.wfile.write(data[start : start + len(data) // 2])
                return
            self.wfile.write(data[start:])

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(http_client, "PAUSE", 0.001)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def leftovers(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_a_file_is_fetched_once_and_kept_under_its_hash(site: Site, tmp_path: Path) -> None:
    site.files["/a"] = b"hello"
    for _ in range(2):
        path = fetch(f"{site.url}/a", sha256(b"hello"), name="a", size=5, cache=tmp_path)
        assert path.read_bytes() == b"hello"
    assert path == tmp_path / "sha256" / sha256(b"hello")[:2] / sha256(b"hello")
    assert len(site.asked) == 1


def test_other_bytes_are_refused_and_nothing_is_left(site: Site, tmp_path: Path) -> None:
    site.files["/a"] = b"evil!"
    with pytest.raises(HashMismatch, match=sha256(b"evil!")):
        fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path)
    assert leftovers(tmp_path) == []


def test_more_bytes_than_promised_are_refused_without_reading_on(site: Site, tmp_path: Path) -> None:
    site.files["/a"] = b"x" * 10_000_000
    with pytest.raises(HashMismatch, match="more than 5 bytes"):
        fetch(f"{site.url}/a", sha256(b"hello"), name="a", size=5, cache=tmp_path)


def test_a_broken_connection_is_continued_where_it_broke(site: Site, tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    site.files["/a"], site.breaks["/a"] = data, 1
    assert fetch(f"{site.url}/a", sha256(data), name="a", cache=tmp_path).read_bytes() == data
    assert site.asked == [("/a", None), ("/a", f"bytes={len(data) // 2}-")]


def test_a_busy_server_is_asked_again_but_not_forever(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.busy["/a"] = b"hello", 2
    assert fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path).read_bytes() == b"hello"
    site.files["/b"], site.busy["/b"] = b"x", 100
    with pytest.raises(NetworkError, match="503"):
        fetch(f"{site.url}/b", sha256(b"x"), name="b", cache=tmp_path)
    assert len(site.asked) == 3 + http_client.MAX_TRIES


def test_all_missing_files_are_told_at_once_and_the_rest_is_kept(site: Site, tmp_path: Path) -> None:
    site.files["/ok"] = b"ok"
    files = [File(f"{site.url}/{n}", sha256(n.encode()), n) for n in ("gone1", "ok", "gone2")]
    with pytest.raises(ErrorGroup) as caught:
        fetch_all(files, cache=tmp_path)
    assert [p.where for p in caught.value.problems] == [f"{site.url}/gone1", f"{site.url}/gone2"]
    assert [p.read_bytes() for p in leftovers(tmp_path)] == [b"ok"]


def test_files_come_in_the_order_they_were_asked_for(site: Site, tmp_path: Path) -> None:
    contents = [f"file {i}".encode() for i in range(20)]
    site.files = {f"/{i}": c for i, c in enumerate(contents)}
    files = [File(f"{site.url}/{i}", sha256(c), str(i), len(c)) for i, c in enumerate(contents)]
    assert [p.read_bytes() for p in fetch_all([*files, files[0]], cache=tmp_path)] == [*contents, contents[0]]


def test_a_dead_server_ends_everything_at_once(tmp_path: Path, site: Site) -> None:
    files = [File(f"http://127.0.0.1:1/{i}", sha256(bytes([i])), str(i)) for i in range(50)]
    with pytest.raises(NetworkError, match="does not answer"):
        fetch_all(files, cache=tmp_path)
    assert leftovers(tmp_path) == []


def test_a_file_url_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(b"hello")
    path = fetch((tmp_path / "a b").as_uri(), sha256(b"hello"), name="a", cache=tmp_path / "cache")
    assert path.read_bytes() == b"hello"
    with pytest.raises(NetworkError):
        fetch((tmp_path / "c").as_uri(), sha256(b"c"), name="c", cache=tmp_path / "cache")


@pytest.mark.parametrize("url", ["ftp://h/x", "/etc/passwd", "file://host/x", "https:///x", "http://[", "--help", ""])
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        fetch(url, sha256(b""), name="x", cache=tmp_path)


@pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_hash_is_no_path_either(digest: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        fetch("https://h.invalid/x", digest, name="x", cache=tmp_path)


def test_passwords_are_not_shown(site: Site, tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch(site.url.replace("//", "//me:secret@") + "/x", sha256(b""), name="x", cache=tmp_path)
    assert "secret" not in str(caught.value)


def test_reading_is_bounded(site: Site) -> None:
    site.files["/a"] = b"x" * 1000
    assert read(f"{site.url}/a", limit=1000) == b"x" * 1000
    with pytest.raises(NetworkError, match="999"):
        read(f"{site.url}/a", limit=999)


def test_a_file_of_this_machine_is_bounded_as_well(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    url = (tmp_path / "a").as_uri()
    assert fetch_unpinned(url, cache=tmp_path / "cache", limit=1000)[0].read_bytes() == b"x" * 1000
    with pytest.raises(NetworkError, match="more than 999 bytes"):
        fetch_unpinned(url, cache=tmp_path / "other", limit=999)
    with pytest.raises(NetworkError, match="more than 999 bytes"):
        read(url, limit=999)
    assert not list((tmp_path / "other").rglob("*.part*"))


def test_no_refusal_shows_a_password(site: Site) -> None:
    site.files["/a"] = b"x" * 1000
    address = site.url.replace("http://", "http://me:s3cr3t@")
    for ask in (
        lambda: read(f"{address}/a", limit=10),
        lambda: read(f"{address}/none", limit=10),
        lambda: read_workflow(f"{address}/a"),
        lambda: read_definitions(address),
    ):
        with pytest.raises(PycomfyError) as error:
            ask()
        assert "s3cr3t" not in str(error.value)
