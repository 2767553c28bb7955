"""Keep a copy of the database beside it: runs are known to nothing else.

Every transaction has a number, SQLite's `user_version`; the copy says which was its last. So it is known whether the
database lost transactions, or was changed by something else. The copy is compressed by Zstandard, with a checksum; a
skippable frame before that has the number.
"""

import struct
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_file

_HEAD = struct.Struct("<IIi")  # RFC 8878, 3.1.2: a skippable frame's magic number, its size, and here 4 bytes
_MAGIC, _SIZE = 0x184D2A50, 4
_VERSION = slice(60, 64)  # https://www.sqlite.org/fileformat.html#the_database_header


def copy_path(database: Path) -> Path:
    """Return the copy's file, which need not exist."""
    return database.with_name(f"{database.name}.zst")


def number_of(data: bytes) -> int:
    """Return the number of the last transaction of a database with these bytes."""
    return int.from_bytes(data[_VERSION], "big", signed=True)


def read_number(database: Path) -> int | None:
    """Return the number of the copy's last transaction; None without a copy, or for one that is damaged there."""
    try:
        with copy_path(database).open("rb") as file:
            return _parse_head(file.read(_HEAD.size))
    except FileNotFoundError:
        return None


def read_copy(database: Path) -> bytes | None:
    """Return the bytes of the copied database; None without a copy. Raises `ValueError` for a damaged one."""
    import zstandard

    try:
        data = copy_path(database).read_bytes()
    except FileNotFoundError:
        return None
    number = _parse_head(data)
    try:
        found: bytes = zstandard.ZstdDecompressor().decompress(data[_HEAD.size :], read_across_frames=False)
    except (zstandard.ZstdError, MemoryError) as e:
        raise ValueError(str(e)) from e
    if number is None or number_of(found) != number:
        raise ValueError("it does not begin as a copy does")
    return found


def write_copy(database: Path, data: bytes) -> None:
    """Replace the copy by one of a database with these bytes. Raises `NoSpace`."""
    import zstandard

    head = _HEAD.pack(_MAGIC, _SIZE, number_of(data))
    write_file(copy_path(database), head + zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data))


def _parse_head(data: bytes) -> int | None:
    if len(data) < _HEAD.size:
        return None
    magic, size, number = _HEAD.unpack_from(data)
    return int(number) if (magic, size) == (_MAGIC, _SIZE) else None
