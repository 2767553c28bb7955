"""Untrusted zip files; each hostile one is made here."""

import stat
import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.interchange import zip_package
from pycomfy.adapters.interchange.zip_package import Unpacked, is_zip, read_zip, write_zip
from pycomfy.core.interchange.format import ZipLayout
from pycomfy.errors import BadInput

LAYOUT = ZipLayout("snapshot.json", ("workflow.json",))

FILES = {"snapshot.json": b"{}", "workflow.json": b"W", "input/a.png": b"A", "input/sub/b.png": b"B"}


def read(path: Path, to: Path) -> Unpacked:
    return read_zip(path, [LAYOUT], to)


def make(path: Path, *members: tuple[str, bytes, int], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data, mode in members:
            about = zipfile.ZipInfo(name)
            about.compress_type, about.external_attr = compression, mode << 16
            archive.writestr(about, data)
    return path


def test_a_package_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.cpack.zip"
    assert write_zip(path, {**FILES, "readme.md": b"R"}) == path.stat().st_size
    assert is_zip(path.read_bytes()[:4])
    found = read(path, tmp_path / "out")
    assert found.texts == {"snapshot.json": b"{}", "workflow.json": b"W"}
    assert found.inputs == ("input/a.png", "input/sub/b.png") and found.others == ("readme.md",)
    assert (tmp_path / "out/input/sub/b.png").read_bytes() == b"B"


def test_equal_files_are_equal_bytes(tmp_path: Path) -> None:
    write_zip(tmp_path / "1.zip", FILES)
    write_zip(tmp_path / "2.zip", dict(reversed(FILES.items())))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "input/../../x",
        "/etc/x",
        "input//x",
        "input/./x",
        "input/..",
        "C:/x",
        "input/a\\..\\b",
        "input/a\nb",
        "input/" + "x" * 600,
        "\\\\host\\x",
    ],
)
def test_a_path_that_escapes_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "x.zip", ("snapshot.json", b"{}", 0), ("input/good.png", b"", 0), (name, b"!", 0))
    with pytest.raises(BadInput, match="escapes the zip file"):
        read(path, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_link_or_a_device_is_refused(tmp_path: Path, kind: int) -> None:
    path = make(tmp_path / "x.zip", ("snapshot.json", b"{}", 0), ("input/l", b"/etc/passwd", kind | 0o777))
    with pytest.raises(BadInput, match="not a regular file"):
        read(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_of_a_name_are_refused(tmp_path: Path) -> None:
    for second in ("input/a", "input/A", "input/a/b"):
        path = make(tmp_path / "x.zip", ("input/a", b"1", 0), (second, b"2", 0))
        with pytest.raises(BadInput, match=r"listed twice|below a file"):
            read(path, tmp_path / "out")


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_package, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(zip_package, "MAX_INPUTS", 1 << 20)
    monkeypatch.setattr(zip_package, "MAX_FILES", 100)
    zeros, manifest = bytes(2 << 20), ("snapshot.json", b"{}", 0)
    with pytest.raises(BadInput, match="larger than"):
        read(make(tmp_path / "x.zip", ("snapshot.json", zeros, 0)), tmp_path / "out")
    with pytest.raises(BadInput, match="input files are larger"):
        read(make(tmp_path / "y.zip", manifest, ("input/a", zeros, 0)), tmp_path / "out")
    halves = [(f"input/{n}", bytes(700_000), 0) for n in range(2)]
    with pytest.raises(BadInput, match="input files are larger"):
        read(make(tmp_path / "z.zip", manifest, *halves), tmp_path / "out2")
    many = [(f"input/{n}", b"", 0) for n in range(101)]
    with pytest.raises(BadInput, match="more than 100 files"):
        read(make(tmp_path / "m.zip", *many), tmp_path / "out")


def test_a_wrong_size_is_noticed(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", ("snapshot.json", b"{}" * 500, 0))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (3).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read(path, tmp_path / "out")


@pytest.mark.parametrize("flip", range(0, 200, 7))
def test_a_damaged_zip_is_refused_or_the_same(tmp_path: Path, flip: int) -> None:
    path = tmp_path / "x.zip"
    make(path, ("snapshot.json", b'{"a": "b"}', 0), ("input/a", b"data", 0))
    data = bytearray(path.read_bytes())
    data[flip % len(data)] ^= 0x41
    path.write_bytes(data)
    try:
        found = read(path, tmp_path / "out")
    except BadInput:
        return
    assert set(found.texts.values()) <= {b'{"a": "b"}'}


def test_a_damaged_or_encrypted_zip_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadInput, match="cannot be read"):
        read(tmp_path / "x.zip", tmp_path / "out")
    path = make(tmp_path / "e.zip", ("snapshot.json", b"{}", 0))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match="encrypted"):
        read(path, tmp_path / "out")


def test_an_unsupported_compression_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", ("snapshot.json", b"{}" * 90, 0), compression=zipfile.ZIP_LZMA)
    with pytest.raises(BadInput, match="unsupported compression"):
        read(path, tmp_path / "out")


def test_the_layout_is_the_first_whose_manifest_is_there(tmp_path: Path) -> None:
    other = ZipLayout("about.toml", inputs="files/")
    path = make(tmp_path / "x.zip", ("about.toml", b"a = 1", 0), ("files/a", b"A", 0), ("input/b", b"B", 0))
    found = read_zip(path, [LAYOUT, other], tmp_path / "out")
    assert found == Unpacked(other, {"about.toml": b"a = 1"}, ("input/a",), ("input/b",))
    assert (tmp_path / "out/input/a").read_bytes() == b"A"
    with pytest.raises(BadInput, match=r"a zip file without snapshot\.json"):
        read(path, tmp_path / "out")
