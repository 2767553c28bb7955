import hashlib
from pathlib import Path

import pytest

from pycomfy.adapters.io import download, http_client
from pycomfy.adapters.io.download import (
    File,
    fetch,
    fetch_all,
    fetch_unpinned,
    is_kept,
    keep_file,
    kept_path,
    read,
)
from pycomfy.adapters.metadata.load import read_workflow
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.errors import BadInput, ErrorGroup, HashMismatch, NetworkError, PycomfyError
from tests.support.file_server import Site
from tests.support.operations import listening
from tests.support.sudden_ends import list_steps


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
    with pytest.raises(HashMismatch, match="expected 5 bytes, but the file there has 10000000"):
        fetch(f"{site.url}/a", sha256(b"hello"), name="a", size=5, cache=tmp_path)
    site.trouble["/a"] = ["unsized"]
    with pytest.raises(HashMismatch, match="more than 5 bytes"):
        fetch(f"{site.url}/a", sha256(b"hello"), name="a", size=5, cache=tmp_path)
    assert leftovers(tmp_path) == []


def test_a_file_of_unknown_size_is_bounded(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    site.files["/a"] = b"x" * 1001
    with pytest.raises(HashMismatch, match="more than 1000 bytes"):
        fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path)


DATA = bytes(range(256)) * 1000
HALF = len(DATA) // 2


def test_a_broken_connection_is_continued_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut"]
    assert fetch(f"{site.url}/a", sha256(DATA), name="a", cache=tmp_path).read_bytes() == DATA
    assert site.asked == [("/a", None), ("/a", f"bytes={HALF}-")]


def test_a_connection_that_breaks_again_and_again_is_continued_as_long_as_something_arrives(
    site: Site, tmp_path: Path
) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut"] * (2 * http_client.MAX_TRIES)
    assert fetch(f"{site.url}/a", sha256(DATA), name="a", cache=tmp_path).read_bytes() == DATA
    assert len(site.asked) == 2 * http_client.MAX_TRIES + 1


def test_a_server_that_ignores_ranges_sends_all_again(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut", "whole"]
    assert fetch(f"{site.url}/a", sha256(DATA), name="a", size=len(DATA), cache=tmp_path).read_bytes() == DATA
    assert site.asked == [("/a", None), ("/a", f"bytes={HALF}-")]


@pytest.mark.parametrize("refusal", [416, "other part", "unnamed part"])
def test_a_server_that_does_not_continue_is_asked_for_all_again(site: Site, tmp_path: Path, refusal: int | str) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut", refusal]
    assert fetch(f"{site.url}/a", sha256(DATA), name="a", size=len(DATA), cache=tmp_path).read_bytes() == DATA
    assert site.asked == [("/a", None), ("/a", f"bytes={HALF}-"), ("/a", None)]


def test_a_server_that_never_continues_is_given_up(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut", 416] * 50
    with pytest.raises(NetworkError, match="cannot answer now"):
        fetch(f"{site.url}/a", sha256(DATA), name="a", cache=tmp_path)
    assert leftovers(tmp_path) == []


def test_the_beginning_of_a_file_that_was_replaced_meanwhile_is_thrown_away_once(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["wrong, cut"]
    assert fetch(f"{site.url}/a", sha256(DATA), name="a", cache=tmp_path).read_bytes() == DATA
    assert site.asked == [("/a", None), ("/a", f"bytes={HALF}-"), ("/a", None)]
    site.files["/b"], site.trouble["/b"] = DATA + b"b", ["wrong, cut", None, "wrong, cut", None]
    with pytest.raises(HashMismatch, match="expected SHA-256"):
        fetch(f"{site.url}/b", sha256(DATA + b"b"), name="b", cache=tmp_path)
    assert [wanted for path, wanted in site.asked if path == "/b"] == [None, f"bytes={HALF}-"] * 2


def test_an_answer_that_ends_early_is_continued_if_the_size_is_known(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["silent", "unsized"]
    assert fetch(f"{site.url}/a", sha256(DATA), name="a", size=len(DATA), cache=tmp_path).read_bytes() == DATA
    assert site.asked == [("/a", None), ("/a", f"bytes={HALF}-")]


def test_a_file_that_nobody_hashed_is_continued_as_well(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut", "cut", "whole"]
    path, found = fetch_unpinned(f"{site.url}/a", cache=tmp_path, limit=len(DATA))
    assert path.read_bytes() == DATA and found == sha256(DATA)
    site.files["/b"], site.trouble["/b"] = DATA, ["unsized"]
    with pytest.raises(NetworkError, match=f"more than {len(DATA) - 1} bytes"):
        fetch_unpinned(f"{site.url}/b", cache=tmp_path, limit=len(DATA) - 1)


def test_what_is_kept_cannot_be_written_by_mistake(site: Site, tmp_path: Path) -> None:
    site.files["/a"] = b"hello"
    assert not is_kept(sha256(b"hello"), tmp_path)
    path = fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path)
    assert is_kept(sha256(b"hello"), tmp_path) and path.stat().st_mode & 0o777 == 0o444


def test_the_progress_of_all_files_is_one(site: Site, tmp_path: Path) -> None:
    site.files = {"/a": DATA, "/b": b"hello"}
    site.trouble["/a"] = ["cut", 416]
    files = [File(f"{site.url}/a", sha256(DATA), "a", len(DATA)), File(f"{site.url}/b", sha256(b"hello"), "b", 5)]
    with listening() as recorder:
        fetch_all(files, cache=tmp_path / "1")
        assert recorder.amounts == {"Download": (len(DATA) + 5, len(DATA) + 5)}
        fetch_all([File(files[0].url, files[0].sha256, "a"), files[1]], cache=tmp_path / "2", title="Fetch")
    assert recorder.amounts["Fetch"] == (len(DATA) + 5, len(DATA) + 5)


def test_a_busy_server_is_asked_again_but_not_forever(site: Site, tmp_path: Path) -> None:
    site.files["/a"], site.trouble["/a"] = b"hello", [503, 503]
    assert fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path).read_bytes() == b"hello"
    site.files["/b"], site.trouble["/b"] = b"x", [503] * 100
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


@pytest.mark.parametrize("digest", ["", "../../etc", "g" * 101, "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_hash_is_no_path_either(digest: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as e:
        fetch("https://me:pw@h.invalid/x", digest, name="x", cache=tmp_path)
    assert (e.value.what, e.value.where) == (f"x has no SHA-256 but {digest[:100]!r}", "https://h.invalid/x")


def test_passwords_are_not_shown(site: Site, tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch(site.url.replace("//", "//me:secret@") + "/x", sha256(b"x"), name="x", cache=tmp_path)
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


def test_a_file_of_this_machine_is_kept_as_a_download_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    for _ in range(2):
        path, found = keep_file(tmp_path / "a", tmp_path / "cache")
        assert (path, found) == (kept_path(sha256(DATA), tmp_path / "cache"), sha256(DATA))
        assert path.read_bytes() == DATA and path.stat().st_mode & 0o777 == 0o444
    assert leftovers(tmp_path) == sorted([tmp_path / "a", path])
    with pytest.raises(FileNotFoundError):
        keep_file(tmp_path / "none", tmp_path / "cache")
    assert leftovers(tmp_path / "cache") == [path]


def test_what_nobody_hashed_is_kept_as_a_download_is(site: Site, tmp_path: Path) -> None:
    site.files["/a"] = b"hello"
    path, found = fetch_unpinned(f"{site.url}/a", cache=tmp_path, limit=5)
    assert path == kept_path(found, tmp_path) and path.stat().st_mode & 0o777 == 0o444
    assert leftovers(tmp_path) == [path]


def test_a_kept_file_of_another_size_is_fetched_again(site: Site, tmp_path: Path) -> None:
    """A disk may have lost its end. Without a known size it is trusted: it was checked when it was written."""
    site.files["/a"] = b"hello"
    path = fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path)
    path.chmod(0o644)
    path.write_bytes(b"hell")
    assert fetch(f"{site.url}/a", sha256(b"hello"), name="a", cache=tmp_path).read_bytes() == b"hell"
    assert len(site.asked) == 1
    assert fetch(f"{site.url}/a", sha256(b"hello"), name="a", size=5, cache=tmp_path).read_bytes() == b"hello"
    assert len(site.asked) == 2
    assert fetch(f"{site.url}/a", sha256(b"hello"), name="a", size=5, cache=tmp_path).read_bytes() == b"hello"
    assert len(site.asked) == 2


def test_the_amount_is_known_where_all_sizes_are(site: Site, tmp_path: Path) -> None:
    site.files = {"/a": b"hello", "/b": b"you"}
    site.trouble = {"/a": [None, "unsized"], "/b": [None, "unsized"]}
    sizes = [
        File(f"{site.url}/{name}", sha256(data), name, len(data)) for name, data in (("a", b"hello"), ("b", b"you"))
    ]
    with listening() as recorder:
        fetch_all(sizes, cache=tmp_path / "1")
        assert recorder.amounts.pop("Download") == (8, 8)
        fetch_all([sizes[0], File(sizes[1].url, sizes[1].sha256, "b")], cache=tmp_path / "2")
        assert recorder.amounts.pop("Download") == (8, None)
        fetch_all(sizes, cache=tmp_path / "2")
    assert recorder.amounts == {}  # nothing is missing, so there is no step


def test_headers_are_sent(site: Site, tmp_path: Path) -> None:
    site.files["/a"] = DATA
    file = File(f"{site.url}/a", sha256(DATA[100:]), "a", headers=(("Range", "bytes=100-"),))
    assert fetch_all([file], cache=tmp_path)[0].read_bytes() == DATA[100:]
    assert site.asked == [("/a", "bytes=100-")]


def test_what_is_read_at_once_is_tried_again(site: Site) -> None:
    site.files["/a"], site.trouble["/a"] = b"hello", [503, "cut"]
    assert read(f"{site.url}/a", limit=5) == b"hello"
    site.asked.clear()
    site.trouble["/a"] = [503]
    with pytest.raises(NetworkError, match="503"):
        read(f"{site.url}/a", limit=5, tries=1)
    assert len(site.asked) == 1
    with pytest.raises(NetworkError, match="404"):
        read(f"{site.url}/none", limit=5)


def test_a_small_file_of_this_machine_may_have_all_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    assert read((tmp_path / "a").as_uri(), limit=5) == b"hello"
    with pytest.raises(NetworkError, match="the answer has more than 4 bytes"):
        read((tmp_path / "a").as_uri(), limit=4)
    with pytest.raises(NetworkError, match="cannot be read"):
        read((tmp_path / "none").as_uri(), limit=4)


def test_what_is_kept_is_on_the_disk_before_it_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    url, cache = (tmp_path / "a").as_uri(), tmp_path / "cache"
    for number, work in enumerate(
        (
            lambda: fetch(url, sha256(DATA), name="a", cache=cache),
            lambda: fetch_unpinned(url, cache=cache, limit=len(DATA)),
            lambda: keep_file(tmp_path / "a", cache),
        )
    ):
        steps = [step for step in list_steps(work) if step in ("posix.fsync", "posix.replace")]
        assert steps == ["posix.fsync", "posix.replace"], number
