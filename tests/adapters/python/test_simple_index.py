"""What an index has is read as its simple API says, whatever form it answers in."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pycomfy.adapters.python.simple_index import ListedFile, choose_sdists, find_indexes, list_sdists, parse_html_page
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig, PackageIndex
from pycomfy.core.python.wheel_selection import Target
from tests.support import package_index

AS_OF = datetime(2025, 6, 1, tzinfo=UTC)
TARGET = Target("linux/amd64", "3.11")


@pytest.fixture
def index() -> Iterator[package_index.Index]:
    with package_index.serve() as found:
        yield found


def versions(index: package_index.Index, name: str, as_of: datetime | None = AS_OF) -> list[tuple[str, bool]]:
    return [(str(s.version), s.wheel) for s in list_sdists(name, (index.url,), TARGET, as_of)]


def test_sources_are_those_of_the_time_newest_first(index: package_index.Index) -> None:
    for version, uploaded in (("1.9", "2025-01-01"), ("1.10", "2025-02-01"), ("2.0", "2025-06-02")):
        index.put("some-thing", f"some_thing-{version}.tar.gz", b"x", f"{uploaded}T00:00:00Z")
    index.add("some-thing", "1.9")
    index.add("some-thing", "1.10", tags=["cp311-cp311-win_amd64"])
    assert versions(index, "Some.Thing") == [("1.10", False), ("1.9", True)]
    assert versions(index, "some-thing", None)[0] == ("2.0", False)
    assert versions(index, "absent") == []


def test_the_first_index_that_has_a_package_answers(index: package_index.Index) -> None:
    with package_index.serve(password="secret") as own:
        index.put("x", "x-2.tar.gz", b"x")
        own.put("x", "x-1.tar.gz", b"x")
        own.put("y", "y-1.tar.gz", b"x")
        (found,) = list_sdists("x", (own.url, index.url), TARGET, AS_OF)
        assert str(found.version) == "1" and "secret" in found.url and "secret" not in repr(found)
        assert [str(s.version) for s in list_sdists("y", (index.url, own.url), TARGET, AS_OF)] == ["1"]


def test_withdrawn_files_other_pythons_and_unhashed_ones_are_left_out() -> None:
    def offer(filename: str, **more: object) -> ListedFile:
        return ListedFile(filename, f"https://h/{filename}", **{"sha256": "a" * 64, **more})  # type: ignore[arg-type]

    offers = [
        offer("x-1.tar.gz"),
        offer("x-2.tar.gz", yanked=True),
        offer("x-3.tar.gz", requires_python=">=3.12"),
        offer("x-4.tar.gz", sha256=""),
        offer("x-5.zip"),
        offer("x-5.tar.gz"),
        offer("y-6.tar.gz"),
        offer("x-7.exe"),
        offer("x-nonsense.tar.gz"),
    ]
    found = choose_sdists("x", offers, TARGET, AS_OF)
    assert [s.filename for s in found] == ["x-5.tar.gz", "x-1.tar.gz"]


def test_a_page_in_html_is_read_too() -> None:
    page = (
        '<a href="../../files/x-1.tar.gz#sha256=%s" data-requires-python="&gt;=3.8">x</a><a>y</a>'
        '<a href="https://h/x-2.tar.gz" data-yanked="">x</a>' % ("a" * 64)
    )
    one, two = parse_html_page(page, "https://me:secret@i/simple/x/", "https://me:secret@i/simple/x/")
    assert one == ListedFile("x-1.tar.gz", "https://me:secret@i/files/x-1.tar.gz", "a" * 64, ">=3.8")
    assert (two.url, two.yanked, two.sha256) == ("https://h/x-2.tar.gz", True, "")


def test_indexes_are_asked_in_the_order_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://default.test/simple")
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://extra.test/simple")
    own = IndexConfig(
        (PackageIndex("own", "https://own.test/simple"), PackageIndex("only", "https://only.test/simple", ("torch",)))
    )
    assert find_indexes("x", DEFAULT_INDEXES) == ("https://extra.test/simple", "https://default.test/simple")
    assert find_indexes("x", own)[0] == "https://own.test/simple"
    assert find_indexes("torch", own) == ("https://only.test/simple",)
