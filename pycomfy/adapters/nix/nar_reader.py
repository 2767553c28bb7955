# ruff: noqa: PTH211  (names are bytes, which pathlib does not take)
"""Read NARs: check that one is what a store path promises, and unpack it. All of it is untrusted until checked."""

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pycomfy.core.nix.store_path import FixedOutput, split_path
from pycomfy.errors import HashMismatch, suggest

_CHUNK = 1 << 20
_MAX_DEPTH = 256
_MAX_TEXT = 4096  # bytes of a link's target, as in Linux
_MAX_NAME = 255  # bytes of a file's name


def _text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data + bytes(-len(data) % 8)


_FILE_BEGIN = b"".join(map(_text, (b"nix-archive-1", b"(", b"type", b"regular", b"contents")))
_FILE_END = _text(b")")
OVERHEAD = len(_FILE_BEGIN) + 8 + 7 + len(_FILE_END)
"""By how many bytes, at most, the NAR of a single file is longer than the file."""


@dataclass(frozen=True)
class NarDigest:
    """The hash and the size of a NAR, and the hash of its file, if it is a single one."""

    sha256: bytes
    size: int
    file_sha256: bytes | None

    def matches(self, output: FixedOutput) -> bool:
        """Return whether the NAR is what `output` promises."""
        return output.sha256 == (self.sha256 if output.recursive else self.file_sha256)

    def find_output(self, path: str) -> FixedOutput | None:
        """Return the fixed output that the store path `path` is of, if the NAR is its; None otherwise. Raises
        `ValueError` for what is no store path."""
        name = split_path(path)[1]
        candidates = [FixedOutput(name, self.sha256, True)]
        if self.file_sha256 is not None:
            candidates.append(FixedOutput(name, self.file_sha256, False))
        return next((c for c in candidates if c.path == path), None)


class NarHasher:
    """Hashes a NAR piece by piece."""

    def __init__(self) -> None:
        self._all = hashlib.sha256()
        self._file = hashlib.sha256()
        self._size = 0
        self._begin = bytearray()
        self._left: int | None = None  # bytes of the single file still to come; None if it is not a single file
        self._end = bytearray()  # what followed it

    def update(self, piece: bytes | memoryview) -> None:
        self._all.update(piece)
        self._size += len(piece)
        rest = memoryview(piece)
        missing = len(_FILE_BEGIN) + 8 - len(self._begin)
        if missing > 0:
            self._begin += rest[:missing]
            rest = rest[missing:]
            if len(self._begin) == len(_FILE_BEGIN) + 8 and self._begin.startswith(_FILE_BEGIN):
                self._left = struct.unpack("<Q", self._begin[-8:])[0]
        if self._left:
            mine = rest[: self._left]
            self._file.update(mine)
            self._left -= len(mine)
            rest = rest[len(mine) :]
        if self._left == 0 and len(self._end) <= OVERHEAD:
            self._end += rest[: OVERHEAD + 1]

    def digest(self) -> NarDigest:
        whole = self._left == 0 and self._end == self._expected_end()
        return NarDigest(self._all.digest(), self._size, self._file.digest() if whole else None)

    def _expected_end(self) -> bytes:
        return bytes(-struct.unpack("<Q", self._begin[-8:])[0] % 8) + _FILE_END


def read_digest(path: Path, advance: Callable[[int], object]) -> NarDigest:
    """Return the digest of the NAR in the file `path`; `advance` gets the number of bytes of each piece."""
    hasher = NarHasher()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_CHUNK):
            hasher.update(piece)
            advance(len(piece))
    return hasher.digest()


def unpack_nar(file: IO[bytes], to: Path) -> NarDigest:
    """Unpack a NAR to `to`, which must not exist, and return the NAR's digest: compare it before use.

    Raises `HashMismatch` for a malformed NAR; then `to` may be half there.
    """
    reader = _Reader(file)
    reader.expect(b"nix-archive-1")
    _Unpacker(reader, os.fsencode(to)).run()
    if file.read(1):
        raise reader.damaged("there is more after its end")
    return reader.hasher.digest()


class _Reader:
    """Reads the strings of a NAR and hashes every byte."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.hasher = NarHasher()

    def take(self, count: int) -> bytes:
        data = self.file.read(count)
        if len(data) != count:
            raise self.damaged("it ends too early")
        self.hasher.update(data)
        return data

    def number(self) -> int:
        value: int = struct.unpack("<Q", self.take(8))[0]
        return value

    def text(self) -> bytes:
        length = self.number()
        if length > _MAX_TEXT:
            raise self.damaged("a name is too long")
        data = self.take(length)
        self.padding(length)
        return data

    def padding(self, length: int) -> None:
        if any(self.take(-length % 8)):
            raise self.damaged("the padding is not zero")

    def expect(self, *words: bytes) -> None:
        for word in words:
            found = self.text()
            if found != word:
                raise self.damaged(f"{found[:40]!r} where {word!r} should be")

    def damaged(self, why: str) -> HashMismatch:
        name = str(getattr(self.file, "name", ""))
        return HashMismatch(f"the NAR is damaged: {why}", where=name, fix=suggest("archive verify", "lists all damage"))


class _Unpacker:
    """Folders are entered by name, one below the other, without recursion; no link is ever followed."""

    def __init__(self, reader: _Reader, to: bytes) -> None:
        self.reader = reader
        self.to = to
        self.open: list[bytes] = []  # the folders entered, outermost first
        self.last: list[bytes] = []  # the last name in each: they must ascend, so none comes twice

    def run(self) -> None:
        self._node(self.to)
        while self.open:
            word = self.reader.text()
            if word == b")":
                self.open.pop()
                self.last.pop()
                if self.open:
                    self.reader.expect(b")")
            elif word == b"entry":
                self._entry()
            else:
                raise self.reader.damaged("no entry where one should be")

    def _entry(self) -> None:
        self.reader.expect(b"(", b"name")
        name = self.reader.text()
        if not name or len(name) > _MAX_NAME or name in (b".", b"..") or b"/" in name or b"\0" in name:
            raise self.reader.damaged(f"an entry is called {name[:40]!r}")
        if name <= self.last[-1]:
            raise self.reader.damaged(f"{name[:40]!r} is out of order")
        self.last[-1] = name
        self.reader.expect(b"node")
        if not self._node(os.path.join(self.open[-1], name)):  # noqa: PTH118
            self.reader.expect(b")")

    def _node(self, path: bytes) -> bool:
        """Create the next node; return whether it is a folder, and so still open."""
        self.reader.expect(b"(", b"type")
        kind = self.reader.text()
        if kind == b"directory":
            if len(self.open) >= _MAX_DEPTH:
                raise self.reader.damaged("it is too deep")
            os.mkdir(path)  # noqa: PTH102
            self.open.append(path)
            self.last.append(b"")
            return True
        if kind == b"symlink":
            self.reader.expect(b"target")
            target = self.reader.text()
            if not target or b"\0" in target:
                raise self.reader.damaged("a link without a target")
            os.symlink(target, path)
        elif kind == b"regular":
            self._file(path)
        else:
            raise self.reader.damaged(f"a node is of the kind {kind[:40]!r}")
        self.reader.expect(b")")
        return False

    def _file(self, path: bytes) -> None:
        word, mode = self.reader.text(), 0o644
        if word == b"executable":
            self.reader.expect(b"")
            word, mode = self.reader.text(), 0o755
        if word != b"contents":
            raise self.reader.damaged("a file without contents")
        size = left = self.reader.number()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(fd, "wb") as out:
            while left:
                piece = self.reader.take(min(left, _CHUNK))
                out.write(piece)
                left -= len(piece)
        self.reader.padding(size)
