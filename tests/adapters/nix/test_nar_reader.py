"""A NAR is unpacked as Nix would, and one that Nix would not have written is refused, each kind by its own message."""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pycomfy.adapters.nix import nar_reader
from pycomfy.adapters.nix.nar_reader import OVERHEAD, NarHasher, read_digest, unpack_nar
from pycomfy.adapters.nix.nar_writer import write_nar
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.errors import HashMismatch


def text(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data + bytes(-len(data) % 8)


def nar(*words: bytes) -> bytes:
    return b"".join(map(text, (b"nix-archive-1", *words)))


def node(*words: bytes) -> tuple[bytes, ...]:
    return (b"(", b"type", *words, b")")


def folder(*entries: tuple[bytes, tuple[bytes, ...]]) -> tuple[bytes, ...]:
    inner = (w for name, inside in entries for w in (b"entry", b"(", b"name", name, b"node", *inside, b")"))
    return node(b"directory", *inner)


FILE = node(b"regular", b"contents", b"x")


def unpack(data: bytes, to: Path) -> None:
    found = unpack_nar(io.BytesIO(data), to)
    assert (found.sha256, found.size) == (hashlib.sha256(data).digest(), len(data))


def refuse(data: bytes, folder: Path, why: str) -> None:
    with pytest.raises(HashMismatch) as e:
        unpack_nar(io.BytesIO(data), folder / "refused")
    assert e.value.what == f"the NAR is damaged: {why}"


def test_files_links_and_folders_are_made_with_their_modes(tmp_path: Path) -> None:
    program = node(b"regular", b"executable", b"", b"contents", b"#!")
    inner, link = folder((b"\xff", FILE), (b"\xff\x01", FILE)), node(b"symlink", b"target", b"/x")
    made = folder((b"a", FILE), (b"b", program), (b"c", inner), (b"d", link))
    unpack(nar(*made), tmp_path / "out")
    out = os.fsencode(tmp_path / "out")
    assert sorted(os.listdir(out)) == [b"a", b"b", b"c", b"d"]  # noqa: PTH208  (a name that is no UTF-8)
    assert sorted(os.listdir(out + b"/c")) == [b"\xff", b"\xff\x01"]  # noqa: PTH208
    assert (tmp_path / "out/a").read_bytes() == b"x" and (tmp_path / "out/b").read_bytes() == b"#!"
    assert [(tmp_path / "out" / n).stat().st_mode & 0o111 for n in "ab"] == [0, 0o111]
    assert (tmp_path / "out/d").readlink() == Path("/x")
    unpack(nar(*folder()), tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 99, 100, 101, 250])
def test_files_of_any_size_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(nar_reader, "_CHUNK", 100)
    data = bytes(range(250))[:size]
    unpack(nar(*node(b"regular", b"contents", data)), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data


def test_each_fault_is_told(tmp_path: Path) -> None:
    whole = nar(*FILE)
    padded = nar(*node(b"regular", b"contents", b"x"))
    at = padded.index(text(b"x")) + 9
    for data, why in (
        (b"", "it ends too early"),
        (whole[:-1], "it ends too early"),
        (whole + b"\0", "there is more after its end"),
        (text(b"nix-archive-2") + whole[24:], "b'nix-archive-2' where b'nix-archive-1' should be"),
        (text(b"y" * 50), f"{b'y' * 40!r} where b'nix-archive-1' should be"),
        (text(b"y" * 4097), "a name is too long"),
        (padded[:at] + b"\1" + padded[at + 1 :], "the padding is not zero"),
        (text(b"nix-archive-1")[:-1] + b"\1" + whole[24:], "the padding is not zero"),
        (nar(*node(b"device")), "a node is of the kind b'device'"),
        (nar(*node(b"d" * 50)), f"a node is of the kind {b'd' * 40!r}"),
        (nar(*node(b"regular", b"content", b"x")), "a file without contents"),
        (nar(*node(b"regular", b"executable", b"yes", b"contents", b"x")), "b'yes' where b'' should be"),
        (nar(*node(b"symlink", b"to", b"x")), "b'to' where b'target' should be"),
        (nar(*node(b"symlink", b"target", b"")), "a link without a target"),
        (nar(*node(b"symlink", b"target", b"a\0b")), "a link without a target"),
        (nar(*node(b"directory", b"more")), "no entry where one should be"),
        (nar(*FILE[:-1], b"]"), "b']' where b')' should be"),
        *((nar(*folder((name, FILE))), f"an entry is called {name!r}") for name in (b"", b".", b"..", b"a/b", b"a\0")),
        (nar(*folder((b"/" * 50, FILE))), f"an entry is called {b'/' * 40!r}"),
        (nar(*folder((b"b", FILE), (b"a", FILE))), "b'a' is out of order"),
        (nar(*folder((b"a", FILE), (b"a", FILE))), "b'a' is out of order"),
        (nar(*folder((b"z", folder((b"b", FILE), (b"a", FILE))))), "b'a' is out of order"),
        (nar(*folder((b"a", (*FILE[:-1], b")", b"x")))), "b'x' where b')' should be"),
        (nar(*folder((b"a", (*folder(), b"x")))), "b'x' where b')' should be"),
    ):  # fmt: skip
        inside = tmp_path / str(len(list(tmp_path.iterdir())))
        inside.mkdir()
        refuse(data, inside, why)


def test_names_and_targets_may_be_as_long_as_linux_has_them(tmp_path: Path) -> None:
    unpack(nar(*folder((b"n" * 255, node(b"symlink", b"target", b"t" * 4095)))), tmp_path / "out")
    assert len(os.readlink(tmp_path / "out" / ("n" * 255))) == 4095  # noqa: PTH115
    with pytest.raises(OSError, match="File name too long"):  # of Linux, not of us
        unpack_nar(io.BytesIO(nar(*node(b"symlink", b"target", b"t" * 4096))), tmp_path / "long")


def test_folders_are_nested_no_deeper_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nar_reader, "_MAX_DEPTH", 3)
    deep = folder((b"a", folder((b"a", folder((b"a", FILE))))))
    unpack(nar(*deep), tmp_path / "out")
    refuse(nar(*folder((b"a", deep))), tmp_path, "it is too deep")


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "link").symlink_to("kept")
    for name in ("kept", "link"):
        with pytest.raises(FileExistsError):
            unpack_nar(io.BytesIO(nar(*FILE)), tmp_path / name)
    assert (tmp_path / "kept").read_text() == "mine"


def test_the_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.nar").write_bytes(b"")
    with (tmp_path / "x.nar").open("rb") as file, pytest.raises(HashMismatch) as e:
        unpack_nar(file, tmp_path / "out")
    assert e.value.where == str(tmp_path / "x.nar") and "archive verify" in e.value.fix


# — digests —


def digest_of(data: bytes, size: int) -> nar_reader.NarDigest:
    hasher = NarHasher()
    for at in range(0, len(data), size):
        hasher.update(data[at : at + size])
    return hasher.digest()


@pytest.mark.parametrize("content", [b"", b"x", b"1234567", b"12345678", b"123456789", bytes(1000)])
def test_a_single_file_has_its_own_hash_in_pieces_of_any_size(tmp_path: Path, content: bytes) -> None:
    data = nar(*node(b"regular", b"contents", content))
    for size in (1, 3, 8, 100, 127, 128, 129, 10_000):
        found = digest_of(data, size)
        assert (found.sha256, found.size) == (hashlib.sha256(data).digest(), len(data))
        assert found.file_sha256 == hashlib.sha256(content).digest()
    assert len(data) - len(content) <= OVERHEAD and len(nar(*FILE)) - 1 == OVERHEAD


def test_what_is_no_single_file_has_no_hash_of_one() -> None:
    whole = nar(*node(b"regular", b"contents", b"1234567"))
    for data in (
        b"",
        whole[:-1],
        whole[:-25],
        whole + b"\0",
        whole + bytes(OVERHEAD),
        whole[:-17] + b"\1" + whole[-16:],  # the padding
        b"N" + whole[1:],
        nar(*node(b"regular", b"executable", b"", b"contents", b"x")),
        nar(*folder((b"a", FILE))),
        nar(*node(b"symlink", b"target", b"x")),
    ):
        for size in (1, 7, 10_000):
            assert digest_of(data, size).file_sha256 is None, data


def test_a_digest_matches_what_the_output_promises(tmp_path: Path) -> None:
    found = digest_of(nar(*FILE), 8)
    file, all_ = hashlib.sha256(b"x").digest(), hashlib.sha256(nar(*FILE)).digest()
    flat, whole = FixedOutput("thing", file, False), FixedOutput("thing", all_, True)
    assert found.matches(flat) and found.matches(whole)
    assert not found.matches(FixedOutput("thing", all_, False)) and not found.matches(FixedOutput("thing", file, True))
    assert found.find_output(flat.path) == flat and found.find_output(whole.path) == whole
    assert found.find_output(FixedOutput("other", bytes(32), False).path) is None
    tree = digest_of(nar(*folder()), 8)
    assert tree.find_output(FixedOutput("thing", tree.sha256, True).path) is not None
    assert tree.find_output(flat.path) is None and not tree.matches(flat)
    with pytest.raises(ValueError, match="store path"):
        found.find_output("/tmp/thing")


def test_a_file_is_read_to_its_end_and_every_byte_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nar_reader, "_CHUNK", 50)
    (tmp_path / "in").write_bytes(bytes(170))
    pieces: list[bytes] = []
    write: Callable[[bytes | memoryview], object] = lambda piece: pieces.append(bytes(piece))  # noqa: E731
    write_nar(tmp_path / "in", write)
    data = b"".join(pieces)
    (tmp_path / "nar").write_bytes(data)
    amounts: list[int] = []
    found = read_digest(tmp_path / "nar", amounts.append)
    assert (found.sha256, found.size, sum(amounts)) == (hashlib.sha256(data).digest(), len(data), len(data))
    assert amounts[:-1] == [50] * (len(data) // 50)
