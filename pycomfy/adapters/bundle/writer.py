"""Write bundles: equal contents give equal bytes."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from pycomfy.adapters.bundle.ustar import BLOCK, make_header
from pycomfy.adapters.io.atomic_files import new_file
from pycomfy.core.bundle.manifest import MANIFEST, FileEntry
from pycomfy.errors import HashMismatch, suggest

_LEVEL = 3  # nearly all of it is compressed already
_CHUNK = 1 << 20


@dataclass(frozen=True)
class BundleFile:
    """An entry: its path in the bundle, what it must be, and its bytes, or the file that has them."""

    path: str
    entry: FileEntry
    source: bytes | Path


def write_bundle(to: Path, manifest: bytes, contents: Sequence[BundleFile], advance: Callable[[int], object]) -> int:
    """Write the bundle to the file `to`, in one step, and return its size. `advance` gets the number of bytes that were
    read, as they are read.

    Raises `HashMismatch` for a source that is not what its entry says, `NoSpace`; then nothing is left.
    """
    with new_file(to) as file:
        # The number of threads does not change a bit of the result.
        compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=max(1, os.cpu_count() or 1))
        with compressor.stream_writer(file, closefd=False) as out:
            _write_tar(out, manifest, contents, advance)
        return file.tell()


def _write_tar(
    out: zstandard.ZstdCompressionWriter,
    manifest: bytes,
    contents: Sequence[BundleFile],
    advance: Callable[[int], object],
) -> None:
    first = BundleFile(MANIFEST, FileEntry(sha256=hashlib.sha256(manifest).hexdigest(), size=len(manifest)), manifest)
    for content in (first, *contents):
        out.write(make_header(content.path, content.entry.size))
        digest, size = hashlib.sha256(), 0
        for chunk in _chunks(content.source):
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            advance(len(chunk))
        if (digest.hexdigest(), size) != (content.entry.sha256, content.entry.size):
            raise HashMismatch(
                f"{content.path} is not what it should be",
                where=str(content.source)[:300],
                fix=suggest("archive verify", "lists all damage"),
            )
        out.write(bytes(-size % BLOCK))
    out.write(bytes(2 * BLOCK))


def _chunks(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        yield from _read(file)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
