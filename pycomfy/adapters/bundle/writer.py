"""Writing a bundle: equal contents give equal bytes."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from pycomfy.adapters.bundle.ustar import BLOCK, make_header
from pycomfy.adapters.io.atomic_files import new_file
from pycomfy.core.bundle.manifest import MANIFEST, FileEntry
from pycomfy.errors import HashMismatch

_LEVEL = 3  # nearly all of it is compressed already
_CHUNK = 1 << 20


@dataclass(frozen=True)
class BundleFile:
    """An entry: its path in the bundle, what it must be, and its bytes, or the file that has them."""

    path: str
    entry: FileEntry
    source: bytes | Path


def write_bundle(to: Path, manifest: bytes, contents: Sequence[BundleFile], advance: Callable[[int], object]) -> int:
    """Write the bundle to the file `to`, in one step; its size. Tells how many bytes were read.

    Raises `HashMismatch` for a file that is not what its entry says, `NoSpace`; then nothing is left.
    """
    with new_file(to) as file:
        # One thread more or less does not change a bit: the number of jobs is not in the result.
        compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=max(1, os.cpu_count() or 1))
        with compressor.stream_writer(file, closefd=False) as out:
            _write_tar(out, manifest, contents, advance)
        return file.tell()


def _write_tar(out: Any, manifest: bytes, contents: Sequence[BundleFile], advance: Callable[[int], object]) -> None:
    first = BundleFile(MANIFEST, FileEntry(sha256=hashlib.sha256(manifest).hexdigest(), size=len(manifest)), manifest)
    for content in (first, *contents):
        out.write(make_header(content.path, content.entry.size))
        digest, size = hashlib.sha256(), 0
        for piece in _pieces(content.source):
            out.write(piece)
            digest.update(piece)
            size += len(piece)
            advance(len(piece))
        if (digest.hexdigest(), size) != (content.entry.sha256, content.entry.size):
            fix = "`pycomfy archive verify` names all damage"
            raise HashMismatch(f"{content.path} is not what it should be", where=str(content.source)[:300], fix=fix)
        out.write(bytes(-size % BLOCK))
    out.write(bytes(2 * BLOCK))


def _pieces(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        yield from _read(file)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
