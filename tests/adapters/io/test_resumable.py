"""A download goes on where it ended, whatever the server makes of that; and it never takes more than was promised."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy import operation
from pycomfy.adapters.io.http_client import Client, make_client
from pycomfy.adapters.io.resumable import (
    DownloadProgress,
    ExpectedFile,
    ResumableDownload,
    UnexpectedContent,
    open_local,
)
from pycomfy.errors import HashMismatch, NetworkError
from tests.support.file_server import Site
from tests.support.operations import Recorder, listening

DATA = bytes(range(251)) * 10_000  # more than two of the pieces in which files are read
HALF = len(DATA) // 2


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Downloads:
    """Downloads into one file, as one step."""

    def __init__(self, path: Path, client: Client, recorder: Recorder) -> None:
        self.path, self.client, self.recorder = path, client, recorder
        self.progress = DownloadProgress(operation.step("Download", unit="bytes"))

    def of(self, data: bytes | None, size: int | None = None, limit: int = 1 << 30) -> ResumableDownload:
        expected = ExpectedFile("a", None if data is None else sha256(data), size, limit)
        return ResumableDownload(expected, self.path, self.client, self.progress)

    @property
    def amount(self) -> tuple[int, int | None]:
        return self.recorder.amounts["Download"]


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[Downloads]:
    with listening() as recorder, make_client() as client:
        yield Downloads(tmp_path / "part", client, recorder)


@pytest.mark.parametrize("known", [True, False])
def test_what_an_earlier_download_left_is_continued(site: Site, downloads: Downloads, known: bool) -> None:
    site.files["/a"] = DATA
    downloads.path.write_bytes(DATA[:HALF])
    assert downloads.of(DATA, len(DATA) if known else None).fetch(f"{site.url}/a") == sha256(DATA)
    assert downloads.path.read_bytes() == DATA
    assert site.asked == [("/a", f"bytes={HALF}-")]
    assert downloads.amount == (len(DATA), None if known else len(DATA))


def test_an_empty_file_is_a_file(site: Site, downloads: Downloads) -> None:
    site.files["/a"] = b""
    assert downloads.of(None).fetch(f"{site.url}/a") == sha256(b"")
    assert site.asked == [("/a", None)]


def test_a_whole_file_is_not_asked_for(site: Site, downloads: Downloads) -> None:
    downloads.path.write_bytes(DATA)
    assert downloads.of(DATA).fetch(f"{site.url}/a") == sha256(DATA)
    assert site.asked == []


@pytest.mark.parametrize("trouble", ["whole", "other part", "unnamed part", 416])
def test_a_server_that_does_not_continue_sends_all_from_the_beginning(
    site: Site, downloads: Downloads, trouble: str | int
) -> None:
    """One that ignores the range answers with everything at once, which is taken; any other is asked again."""
    site.files["/a"], site.trouble["/a"] = DATA, [trouble]
    downloads.path.write_bytes(DATA[:HALF])
    assert downloads.of(DATA, len(DATA)).fetch(f"{site.url}/a") == sha256(DATA)
    assert downloads.path.read_bytes() == DATA and downloads.amount[0] == len(DATA)
    again = [] if trouble == "whole" else [("/a", None)]
    assert site.asked == [("/a", f"bytes={HALF}-"), *again]


def test_the_beginning_of_another_file_is_thrown_away_once(site: Site, downloads: Downloads) -> None:
    site.files["/a"] = DATA
    downloads.path.write_bytes(b"x" * HALF)
    assert downloads.of(DATA, len(DATA)).fetch(f"{site.url}/a") == sha256(DATA)
    assert site.asked == [("/a", f"bytes={HALF}-"), ("/a", None)] and downloads.amount[0] == len(DATA)


def test_a_whole_file_that_is_another_one_is_not_fetched_twice(site: Site, downloads: Downloads) -> None:
    """Its beginning was not an earlier download's."""
    site.files["/a"], site.trouble["/a"] = DATA, ["whole"]
    downloads.path.write_bytes(b"x" * HALF)
    with pytest.raises(UnexpectedContent, match=rf"\({len(DATA)} bytes\)"):
        downloads.of(b"y" * len(DATA), len(DATA)).fetch(f"{site.url}/a")
    assert site.asked == [("/a", f"bytes={HALF}-")]


def test_other_bytes_of_the_same_size_are_told_with_their_hash(site: Site, downloads: Downloads) -> None:
    site.files["/a"] = b"other"
    with pytest.raises(UnexpectedContent) as e:
        downloads.of(b"hello", 5).fetch(f"{site.url.replace('//', '//me:pw@')}/a")
    assert e.value.what == f"a: expected SHA-256 {sha256(b'hello')}, got {sha256(b'other')} (5 bytes)"
    assert (e.value.sha256, e.value.where) == (sha256(b"other"), f"{site.url}/a")


def test_another_size_is_told_before_the_file_is_fetched(site: Site, downloads: Downloads) -> None:
    site.files["/a"] = DATA
    for have in (0, 10):
        downloads.path.write_bytes(DATA[:have])
        with pytest.raises(HashMismatch, match=f"^a: expected 11 bytes, but the file there has {len(DATA)}"):
            downloads.of(b"y" * 11, 11).fetch(f"{site.url}/a")
        assert downloads.path.read_bytes() == DATA[:have]


def test_a_length_that_is_no_number_is_ignored(site: Site, downloads: Downloads) -> None:
    site.files["/a"], site.trouble["/a"] = b"hello", ["unsized"]
    assert downloads.of(b"hello").fetch(f"{site.url}/a") == sha256(b"hello")
    assert downloads.amount == (5, None)


def test_the_size_of_one_file_is_added_once(site: Site, downloads: Downloads) -> None:
    site.files["/a"], site.trouble["/a"] = DATA, ["cut", "cut", "whole"]
    assert downloads.of(None).fetch(f"{site.url}/a") == sha256(DATA)
    assert downloads.amount == (len(DATA), len(DATA))


@pytest.mark.parametrize("known", [True, False])
def test_no_byte_more_than_promised_is_taken(site: Site, downloads: Downloads, known: bool) -> None:
    site.files["/a"], site.trouble["/a"] = b"hello!", ["unsized"]
    with pytest.raises(UnexpectedContent, match=r"\(more than 5 bytes\)"):
        downloads.of(b"hello", 5 if known else None, 6 if known else 5).fetch(f"{site.url}/a")
    site.trouble["/a"] = ["unsized"]
    downloads.path.unlink()
    assert downloads.of(None, None, 6).fetch(f"{site.url}/a") == sha256(b"hello!")
    downloads.path.unlink()
    with pytest.raises(NetworkError, match="the answer has more than 5 bytes"):
        downloads.of(None, None, 5).fetch(f"{site.url}/a")


def test_an_answer_that_is_too_short_is_no_whole_file(site: Site, downloads: Downloads) -> None:
    site.files["/a"] = b"hell"
    site.trouble["/a"] = ["unsized"] * 100
    with pytest.raises(NetworkError, match=r"cannot answer now: it ended after 4 of 5 bytes"):
        downloads.of(b"hello", 5).fetch(f"{site.url}/a")


def test_a_server_that_never_sends_anything_is_given_up(site: Site, downloads: Downloads) -> None:
    downloads.path.write_bytes(DATA[:HALF])
    site.files["/a"], site.trouble["/a"] = DATA, [503] * 100
    with pytest.raises(NetworkError, match="503"):
        downloads.of(DATA, len(DATA)).fetch(f"{site.url}/a")
    assert downloads.path.read_bytes() == DATA[:HALF] and len(site.asked) == 4


def test_another_address_continues_the_same_file(site: Site, downloads: Downloads) -> None:
    site.files["/b"] = DATA
    site.files["/a"], site.trouble["/a"] = DATA, ["cut", *[503] * 7]
    download = downloads.of(DATA, len(DATA))
    with pytest.raises(NetworkError):
        download.fetch(f"{site.url}/a")
    assert download.received == HALF
    assert download.fetch(f"{site.url}/b") == sha256(DATA)
    assert site.asked[-1] == ("/b", f"bytes={HALF}-") and downloads.amount[0] == len(DATA)


def test_what_a_login_would_need_is_said_by_the_caller(site: Site, downloads: Downloads) -> None:
    for status in (401, 403, 407):
        site.files["/a"], site.trouble["/a"] = DATA, [status]
        with pytest.raises(NetworkError) as e:
            downloads.of(DATA).fetch(f"{site.url}/a", login_fix="log in there")
        assert e.value.fix == "log in there"


def test_discarding_takes_the_progress_back(site: Site, downloads: Downloads) -> None:
    site.files["/a"] = b"other"
    download = downloads.of(b"hello", 5)
    with pytest.raises(UnexpectedContent):
        download.fetch(f"{site.url}/a")
    assert downloads.amount[0] == 5
    download.discard()
    downloads.path.unlink()
    assert (download.received, downloads.amount[0]) == (0, 0)
    site.files["/a"] = b"hello"
    assert download.fetch(f"{site.url}/a") == sha256(b"hello")


# — files of this machine —


def test_a_copy_is_continued_and_bounded_as_well(tmp_path: Path, downloads: Downloads) -> None:
    source = tmp_path / "a b"
    source.write_bytes(DATA)
    downloads.path.write_bytes(DATA[:HALF])
    assert downloads.of(DATA).fetch(source.as_uri()) == sha256(DATA)
    assert downloads.path.read_bytes() == DATA and downloads.amount[0] == len(DATA)
    downloads.path.write_bytes(DATA[:HALF])  # what has no hash cannot be thrown away afterwards
    assert downloads.of(None, None, len(DATA)).fetch(source.as_uri()) == sha256(DATA)
    downloads.path.write_bytes(b"x" * HALF)  # another file's beginning
    assert downloads.of(DATA).fetch(source.as_uri()) == sha256(DATA)
    downloads.path.unlink()
    with pytest.raises(UnexpectedContent, match=rf"\(more than {len(DATA) - 1} bytes\)"):
        downloads.of(DATA, len(DATA) - 1).fetch(source.as_uri())
    downloads.path.unlink()
    assert downloads.of(None, None, len(DATA)).fetch(source.as_uri()) == sha256(DATA)


def test_only_a_file_that_can_be_read_is_copied(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"hello")
    for name, what in (
        ("pipe", "it is not a file"),
        ("", "it is not a file"),
        ("none", "the file cannot be read: No such file or directory"),
        ("file/below", "the file cannot be read: Not a directory"),
    ):
        path = tmp_path / name
        with pytest.raises(NetworkError) as e, open_local(path.as_uri(), path):
            pass
        assert (e.value.what, e.value.where, e.value.fix) == (what, str(path), f"check {path.as_uri()}")
    with pytest.raises(NetworkError, match="Permission denied"), open_local("file:///x", tmp_path / "file"):
        raise PermissionError(13, "Permission denied")
    with open_local("file:///x", tmp_path / "file") as file:
        assert file.read() == b"hello"
