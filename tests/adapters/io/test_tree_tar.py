"""A tree as a tar: what a Nix store keeps of it, and the same bytes for the same files."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from pycomfy.adapters.io.tree_tar import pack_tree, unpack_tree
from pycomfy.adapters.nix.nar_writer import hash_path


def make(folder: Path) -> Path:
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "run").write_text("#!/bin/sh\n")
    (folder / "a" / "run").chmod(0o700)
    (folder / "link").symlink_to("/nowhere")
    (folder / ("long" * 40)).write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("y")
    os.link(folder / "a" / "run", folder / "z")
    return folder


def test_what_is_packed_and_unpacked_has_the_hash_of_the_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "one")
    data = pack_tree(folder, 1 << 20)
    assert data is not None
    (tmp_path / "x.tar").write_bytes(data)
    with tarfile.open(tmp_path / "x.tar") as tar:
        tar.extractall(tmp_path / "out", filter="fully_trusted")
    unpack_tree(data, tmp_path / "ours")
    assert hash_path(tmp_path / "out" / "tree") == hash_path(tmp_path / "ours") == hash_path(folder)


@pytest.mark.parametrize(
    "entries",
    [
        {"tree/../x": b""},
        {"/tree/x": b""},
        {"other/x": b""},
        {"tree": b""},
        {"tree//x": b""},
        {"tree/a": Path("/tmp"), "tree/a/x": b""},
        {"tree/x": None},
    ],
)
def test_a_tar_that_leads_elsewhere_is_refused(tmp_path: Path, entries: dict[str, bytes | Path | None]) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type = tarfile.FIFOTYPE
            elif isinstance(content, Path):
                entry.type, entry.linkname = tarfile.SYMTYPE, str(content)
            tar.addfile(entry)
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=r"tree/|link"):
        unpack_tree(data.getvalue(), tmp_path / "out/folder")
    assert [path.name for path in tmp_path.rglob("*") if path.name not in ("out", "folder", "a")] == []


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack_tree(b"x" * 2000, tmp_path / "folder")


def test_equal_folders_are_equal_bytes(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    os.utime(other / "z", (1, 1))
    (other / "link").unlink()
    (other / "link").symlink_to("/nowhere")
    assert pack_tree(one, 1 << 20) == pack_tree(other, 1 << 20)


def test_a_folder_that_is_too_large_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2000))
    assert pack_tree(tmp_path, 1000) is None


def raw(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    for field, value in more.items():
        setattr(entry, field, value)
    return entry.tobuf(tarfile.PAX_FORMAT if entry.pax_headers else tarfile.GNU_FORMAT)


SPARSE = raw(
    "tree/x", size=512, pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 12}
)


@pytest.mark.parametrize(
    "data",
    [
        SPARSE + b"0\n".ljust(512, b"\0"),  # of 512 bytes a terabyte
        raw("tree/x", tarfile.LNKTYPE, linkname="tree/x"),
        raw("tree/x", tarfile.LNKTYPE, linkname="nothing"),
        raw("tree/" + "a/" * 200_000 + "x"),  # each of its parents was looked at
        raw("tree/" + "a/" * 900 + "x") * 200,
        raw("x", b"x", size=26) + b"99999999999999999999 x=yy\n".ljust(512, b"\0") + raw("tree/x"),
    ],
)
def test_a_small_tar_costs_little(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"tree|unpacked"):
        unpack_tree(data + bytes(1024), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
