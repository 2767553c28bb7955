import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.adapters.bundle.reader import open_bundle
from pycomfy.adapters.bundle.ustar import make_header, read_header
from pycomfy.adapters.bundle.writer import BundleFile, write_bundle
from pycomfy.core.bundle.manifest import MANIFEST, FileEntry, Manifest, parse_manifest, render_manifest
from pycomfy.errors import BadInput, HashMismatch, NotFound, PycomfyError


def nothing(amount: int) -> None: ...


def content(path: str, data: bytes) -> BundleFile:
    return BundleFile(path, FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data)), data)


def manifest(*contents: BundleFile) -> bytes:
    return render_manifest(
        Manifest(
            name="x",
            commit="0" * 40,
            message="",
            author="",
            created_at="2025-01-01T00:00:00Z",
            platforms=("linux/amd64",),
            files={c.path: c.entry for c in contents},
        )
    )


def read(path: Path) -> dict[str, bytes]:
    with open_bundle(path, nothing) as bundle:
        return {name: b"".join(pieces) for name, _, pieces in bundle.entries()}


CONTENTS = (content("README.md", b"hello"), content("project/a", b""), content("project/b/c.py", os.urandom(700_000)))


def test_what_is_written_is_read_and_any_tar_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "x.tar.zst"
    write_bundle(file, manifest(*CONTENTS), CONTENTS, nothing)
    assert read(file) == {c.path: c.source for c in CONTENTS}
    with zstandard.open(file) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        assert [(m.name, m.size, m.mode) for m in tar] == [
            (MANIFEST, len(manifest(*CONTENTS)), 0o644),
            *((c.path, c.entry.size, 0o644) for c in CONTENTS),
        ]


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / name, manifest(*CONTENTS), CONTENTS, nothing)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_left_of_a_bundle_that_cannot_be_written(tmp_path: Path) -> None:
    wrong = BundleFile("README.md", CONTENTS[0].entry, b"other")
    with pytest.raises(HashMismatch, match=r"README\.md"):
        write_bundle(tmp_path / "x", manifest(wrong), [wrong], nothing)
    assert list(tmp_path.iterdir()) == []


paths = st.from_regex(r"[a-z]{1,99}(/[a-z]{1,40}){0,3}", fullmatch=True).filter(lambda p: len(p) < 200)


@given(paths, st.integers(0, 2**40))
def test_headers_come_back_and_tarfile_agrees(path: str, size: int) -> None:
    header = make_header(path, size)
    assert read_header(header) == (path, size)
    info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    assert (info.name, info.size, info.isreg()) == (path, size, True)


def pack(*members: tuple[bytes, bytes], end: bytes = bytes(1024)) -> bytes:
    """A compressed tar of headers and their data."""
    tar = b"".join(header + data + bytes(-len(data) % 512) for header, data in members) + end
    return zstandard.ZstdCompressor().compress(tar)


def other(name: str, **more: object) -> bytes:
    """A header that tarfile makes."""
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.PAX_FORMAT if "pax_headers" in more else tarfile.USTAR_FORMAT)


def first(*contents: BundleFile) -> tuple[bytes, bytes]:
    data = manifest(*contents)
    return make_header(MANIFEST, len(data)), data


HELLO = CONTENTS[0]
GOOD = (make_header("README.md", 5), b"hello")


def hostile() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "garbage", os.urandom(5000)
    yield "not a tar", zstandard.ZstdCompressor().compress(b"x" * 5000)
    yield "cut short", pack(first(HELLO), GOOD)[:-20]
    yield "no manifest", pack(GOOD)
    yield "manifest is not JSON", pack((make_header(MANIFEST, 3), b"[[["))
    yield "manifest is deep", pack((make_header(MANIFEST, 200_000), b"[" * 200_000))
    yield "manifest is too long", pack((make_header(MANIFEST, 1 << 30), b"x"))
    yield "a file more", pack(first(HELLO), GOOD, (make_header("project/x", 1), b"x"))
    yield "a file twice", pack(first(HELLO), GOOD, GOOD)
    yield "a file too few", pack(first(HELLO))
    yield "another size", pack(first(HELLO), (make_header("README.md", 6), b"hello!"))
    yield "other bytes", pack(first(HELLO), (make_header("README.md", 5), b"hallo"))
    yield "a symlink", pack(first(HELLO), (other("README.md", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b""))
    yield "a hard link", pack(first(HELLO), (other("README.md", type=tarfile.LNKTYPE, linkname="/etc/passwd"), b""))
    yield "a device", pack(first(HELLO), (other("README.md", type=tarfile.CHRTYPE), b""))
    yield "a folder", pack(first(HELLO), (other("README.md", type=tarfile.DIRTYPE), b""))
    yield "extended headers", pack(first(HELLO), (other("README.md", size=5, pax_headers={"path": "../x"}), b"hello"))
    yield "a set-uid file", pack(first(HELLO), (other("README.md", size=5, mode=0o4755), b"hello"))
    yield "more after the end", pack(first(HELLO), GOOD, end=bytes(1024) + b"more")
    yield "no end", pack(first(HELLO), GOOD, end=b"")
    yield "padding", pack(first(HELLO), (GOOD[0], GOOD[1]), (b"x" * 512, b""))
    yield "a bomb", zstandard.ZstdCompressor().compress(make_header(MANIFEST, 1 << 24) + bytes(1 << 28))


@pytest.mark.parametrize(("name", "data"), list(hostile()), ids=[name for name, _ in hostile()])
def test_hostile_bundles_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises((BadInput, HashMismatch)):
        read(tmp_path / "x")


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "project/../x", "project", "project//x", "project/.git/config", "project/a\\b", "other/x",
     "cache/x.narinfo", "cache/nar/../x", "models/x", "project/" + "a/" * 20 + "b", "project/a\nb", ""],
)  # fmt: skip
def test_paths_that_no_bundle_has_are_refused(path: str) -> None:
    data = json.dumps({**json.loads(manifest()), "files": {path: {"sha256": "0" * 64, "size": 0}}}).encode()
    with pytest.raises(BadInput, match="not a path of a bundle"):
        parse_manifest(data, where="x")


def test_a_file_cannot_be_a_folder_too() -> None:
    with pytest.raises(BadInput, match="below a file"):
        parse_manifest(manifest(content("project/a", b""), content("project/a/b", b"")), where="x")


def test_a_newer_bundle_says_so() -> None:
    data = manifest().replace(b'"version": 1', b'"version": 2')
    with pytest.raises(BadInput, match="version 2"):
        parse_manifest(data, where="x")


@given(st.binary(max_size=400))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(PycomfyError):
        parse_manifest(data, where="x")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFound), open_bundle(tmp_path / "none", nothing):
        pass


def test_any_flipped_byte_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    write_bundle(file, manifest(*CONTENTS), CONTENTS, nothing)
    good = file.read_bytes()
    for at in range(0, len(good), len(good) // 50):
        file.write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        try:
            assert read(file) == {c.path: c.source for c in CONTENTS}, at  # a bit that zstandard does not use
        except (BadInput, HashMismatch):
            continue
    assert io.BytesIO(good).read(4) == b"\x28\xb5\x2f\xfd"
