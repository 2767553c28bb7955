"""Read untrusted bundles: only what the manifest lists is accepted, and only once it is checked.

A bundle is read once, from front to back. It has regular files alone, each in the manifest, of that size and hash.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from pycomfy.adapters.bundle.ustar import BLOCK, read_header
from pycomfy.core.bundle.manifest import FIX, MANIFEST, MAX_MANIFEST_BYTES, FileEntry, Manifest, parse_manifest
from pycomfy.errors import BadInput, HashMismatch, NotFound

_WINDOW = 1 << 27  # bytes of memory that a bundle may ask for
_CHUNK = 1 << 18


class BundleReader:
    """An open bundle: `manifest`, and then its entries in order."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream, self._where = stream, where
        header = self._header()
        if header is None or header[0] != MANIFEST or header[1] > MAX_MANIFEST_BYTES:
            raise self._refused("not a bundle: it does not begin with a manifest")
        data = self._take(header[1])
        self._padding(header[1])
        self.manifest: Manifest = parse_manifest(data, where=where)

    def entries(self) -> Iterator[tuple[str, FileEntry, Iterator[bytes]]]:
        """Yield the path, the entry and the chunks of every file of the manifest; the chunks must be read to the end.
        Raises `BadInput` for anything else in the bundle, `HashMismatch` for other bytes."""
        left = dict(self.manifest.files)
        while (header := self._header()) is not None:
            path, size = header
            entry = left.pop(path, None)
            if entry is None:
                raise self._refused(f"{path!r} is not in the manifest, or is in the bundle twice")
            if size != entry.size:
                raise self._refused(f"{path} has {size} bytes, not {entry.size}")
            yield path, entry, self._chunks(path, entry)
            self._padding(size)
        if left:
            raise self._refused(f"{len(left)} files are missing, such as {next(iter(left))}")
        if self._stream.read(BLOCK) != bytes(BLOCK) or self._stream.read(1):
            raise self._refused("data after the end")

    def _chunks(self, path: str, entry: FileEntry) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), entry.size
        while left:
            chunk = self._take(min(left, _CHUNK))
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
        if digest.hexdigest() != entry.sha256:
            what = f"{path} was changed: SHA-256 {digest.hexdigest()}, not {entry.sha256}"
            raise HashMismatch(what, where=self._where, fix=FIX)

    def _header(self) -> tuple[str, int] | None:
        try:
            return read_header(self._take(BLOCK))
        except ValueError as e:
            raise self._refused(str(e)) from e

    def _padding(self, size: int) -> None:
        if any(self._take(-size % BLOCK)):
            raise self._refused("padding is not zero")

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self._stream.read(count - len(data))
            if not chunk:
                raise self._refused("unexpected end of file")
            data = data + chunk if data else chunk
        return data

    def _refused(self, what: str) -> BadInput:
        return BadInput(what, where=self._where, fix=FIX)


@contextlib.contextmanager
def open_bundle(path: Path, advance: Callable[[int], object]) -> Iterator[BundleReader]:
    """Open a bundle for reading in the block. `advance` gets the number of bytes of the file that were read, as they
    are read. Raises `NotFound`, or `BadInput` for a file that is not a bundle."""
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as e:
        raise NotFound("no such file", where=str(path), fix="give the path of a bundle") from e
    with file:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        counted: Any = _Counted(file, advance)  # of a file's methods, `read` is all that is called
        stream = decompressor.stream_reader(counted, read_across_frames=False, closefd=False)
        try:
            yield BundleReader(stream, str(path))
        except zstandard.ZstdError as e:
            raise BadInput(
                f"not a bundle, or a damaged one: it cannot be decompressed: {e}", where=str(path), fix=FIX
            ) from e


class _Counted:
    """A file that reports how much of it was read."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], object]) -> None:
        self.file, self.advance = file, advance

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.advance(len(data))
        return data
