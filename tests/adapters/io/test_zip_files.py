import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.errors import BadInput


def make_zip(method: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr("a.txt", b"abc" * 100)
        archive.writestr("b/c.txt", bytes(range(256)))
    return data.getvalue()


ZIPS = [make_zip(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zips") / "x.zip"


def read_all(path: Path) -> list[bytes]:
    with open_zip(path, lambda why: BadInput(why, where=path.name, fix="another")) as archive:
        return [archive.read(member) for member in archive.infolist()]


@given(st.sampled_from(ZIPS), st.data())
def test_a_damaged_zip_is_read_or_refused_in_one_way(place: Path, data: bytes, at: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(at.draw(st.integers(0, 4))):
        damaged[at.draw(st.integers(0, len(data) - 1))] = at.draw(st.integers(0, 255))
    place.write_bytes(damaged[: at.draw(st.integers(0, len(data)))] if at.draw(st.booleans()) else damaged)
    try:
        read_all(place)
    except BadInput as refusal:
        assert refusal.where == "x.zip"


def test_a_whole_one_is_read(place: Path) -> None:
    for data in ZIPS:
        place.write_bytes(data)
        assert read_all(place) == [b"abc" * 100, bytes(range(256))]


def test_what_the_disk_says_is_not_the_zips_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_all(tmp_path / "none.zip")
