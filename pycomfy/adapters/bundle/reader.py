"""Reading a bundle of a stranger's: nothing in it is believed but what its list says, and that only once it is checked.

It is read once, from front to back; there are plain files alone, each in the list, of that size and hash.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from pycomfy.adapters.bundle.ustar import BLOCK, read_header
from pycomfy.core.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, FileEntry, Manifest, parse_manifest
from pycomfy.errors import BadInput, HashMismatch, NotFound

_WINDOW = 1 << 27  # bytes of memory that a bundle may ask for
_CHUNK = 1 << 18
_FIX = "get the bundle again, or make it anew with `pycomfy export`"


class BundleReader:
    """An open bundle: `manifest`, and then its entries in order."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream, self._where = stream, where
        header = self._header()
        if header is None or header[0] != MANIFEST or header[1] > MAX_MANIFEST_BYTES:
            raise self._refused("it is no bundle: it does not begin with the list of its contents")
        data = self._take(header[1])
        self._padding(header[1])
        self.manifest: Manifest = parse_manifest(data, where=where)

    def entries(self) -> Iterator[tuple[str, FileEntry, Iterator[bytes]]]:
        """Path, entry and pieces of each, every one that the list has; the pieces must be read to the end. Raises
        `BadInput` for anything else in the bundle, `HashMismatch` for other bytes."""
        left = dict(self.manifest.files)
        while (header := self._header()) is not None:
            path, size = header
            entry = left.pop(path, None)
            if entry is None:
                raise self._refused(f"{path!r} is not in the list of its contents, or there twice")
            if size != entry.size:
                raise self._refused(f"{path} has {size} bytes, not {entry.size}")
            yield path, entry, self._pieces(path, entry)
            self._padding(size)
        if left:
            raise self._refused(f"it lacks {len(left)} of its files, such as {next(iter(left))}")
        if self._stream.read(BLOCK) != bytes(BLOCK) or self._stream.read(1):
            raise self._refused("there is something after its end")

    def _pieces(self, path: str, entry: FileEntry) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), entry.size
        while left:
            piece = self._take(min(left, _CHUNK))
            digest.update(piece)
            left -= len(piece)
            yield piece
        if digest.hexdigest() != entry.sha256:
            what = f"{path} was changed: SHA-256 {digest.hexdigest()}, not {entry.sha256}"
            raise HashMismatch(what, where=self._where, fix=_FIX)

    def _header(self) -> tuple[str, int] | None:
        try:
            return read_header(self._take(BLOCK))
        except ValueError as e:
            raise self._refused(str(e)) from e

    def _padding(self, size: int) -> None:
        if any(self._take(-size % BLOCK)):
            raise self._refused("its padding is not zero")

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._stream.read(count - len(data))
            if not piece:
                raise self._refused("it ends too early")
            data = data + piece if data else piece
        return data

    def _refused(self, what: str) -> BadInput:
        return BadInput(what, where=self._where, fix=_FIX)


@contextlib.contextmanager
def open_bundle(path: Path, advance: Callable[[int], object]) -> Iterator[BundleReader]:
    """Raises `NotFound`, or `BadInput` for what is no bundle. Tells how many bytes of the file were read."""
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as e:
        raise NotFound("there is no such file", where=str(path), fix="give the path of a bundle") from e
    with file:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        counted: Any = _Counted(file, advance)  # of a file's methods, `read` is all that is called
        stream = decompressor.stream_reader(counted, read_across_frames=False, closefd=False)
        try:
            yield BundleReader(stream, str(path))
        except zstandard.ZstdError as e:
            raise BadInput(f"it cannot be unpacked: {e}", where=str(path), fix=_FIX) from e


class _Counted:
    """A file of which it is told how much was read."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self.file, self.advance = file, advance

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.advance(len(data))
        return data
