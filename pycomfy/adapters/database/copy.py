"""Keep a copy, beside the database, of what may be known to nothing else: runs, builds, and the versions they are of.

The rest, which is nearly all of a large database, is read from the versions repository. So copying takes tens of
milliseconds with ten thousand versions.

Every transaction has a number, SQLite's `user_version`; the copy says which was its last. So it is known whether the
database lost transactions, or was changed by something else. The copy is a database too, compressed by Zstandard, with
a checksum; a skippable frame before that has the number.
"""

import contextlib
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_file

MIGRATIONS = "_sqlite_migrations"
TABLES = ("workflows", "workflow_versions", "container_images", "builds", "runs")
"""What is copied, besides the names of the migrations; each refers only to those before it."""

_HEAD = struct.Struct("<IIi")  # RFC 8878, 3.1.2: a skippable frame's magic number, its size, and here 4 bytes
_MAGIC, _SIZE = 0x184D2A50, 4
_VERSION = slice(60, 64)  # https://www.sqlite.org/fileformat.html#the_database_header


def copy_path(database: Path) -> Path:
    """Return the copy's file, which need not exist."""
    return database.with_name(f"{database.name}.zst")


def number_of(data: bytes) -> int:
    """Return the number of the last transaction of a database with these bytes."""
    return int.from_bytes(data[_VERSION], "big", signed=True)


def count_transactions(connection: sqlite3.Connection) -> int:
    """Return the number of the last transaction of the database that is open there."""
    return int(connection.execute("PRAGMA main.user_version").fetchone()[0])


def read_number(database: Path) -> int | None:
    """Return the number of the copy's last transaction; None without a copy, or for one that is damaged there."""
    try:
        with copy_path(database).open("rb") as file:
            return _parse_head(file.read(_HEAD.size))
    except FileNotFoundError:
        return None


def read_copy(database: Path) -> bytes | None:
    """Return the copy, as `collect` made it; None without one. Raises `ValueError` for a damaged one."""
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
    """Replace the copy by `data`, which `collect` made. Raises `NoSpace`."""
    import zstandard

    head = _HEAD.pack(_MAGIC, _SIZE, number_of(data))
    write_file(copy_path(database), head + zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data))


def collect(connection: sqlite3.Connection) -> bytes:
    """Return what is copied of the database that is open there, with its number, as the bytes of another database. For
    a connection that is in no transaction."""
    connection.execute("ATTACH ':memory:' AS copy")
    try:
        connection.execute("PRAGMA copy.page_size = 65536")  # half the time of small ones
        connection.execute("BEGIN")
        number = count_transactions(connection)
        for table in (MIGRATIONS, *TABLES):
            connection.execute(f"CREATE TABLE copy.{table} AS SELECT * FROM main.{table} ORDER BY 1")  # noqa: S608
        connection.execute(f"PRAGMA copy.user_version = {number}")
        connection.commit()
        return connection.serialize(name="copy")
    finally:
        connection.rollback()
        connection.execute("DETACH copy")


def has_same_rows(one: bytes, other: bytes) -> bool:
    """Return whether two copies are equal. Their bytes may differ if two versions of SQLite made them."""
    return one == other or _rows(one) == _rows(other)


def restore(connection: sqlite3.Connection, data: bytes, problem: str) -> None:
    """Fill the empty tables of the database that is open there with what a copy has, as one more transaction than those
    of the copy; `problem` then says why its versions are not complete."""
    connection.execute("ATTACH ':memory:' AS copy")
    connection.deserialize(data, name="copy")
    connection.execute("BEGIN")
    for table in TABLES:
        known = {str(row[1]) for row in connection.execute(f"PRAGMA main.table_info({table})")}
        copied = [str(row[1]) for row in connection.execute(f"PRAGMA copy.table_info({table})")]
        columns = ", ".join(f'"{name}"' for name in copied if name in known)
        connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM copy.{table}")  # noqa: S608
    connection.execute("UPDATE main.workflow_versions SET problem = coalesce(problem, ?)", [problem])
    connection.execute(f"PRAGMA main.user_version = {number_of(data) + 1}")
    connection.commit()
    connection.execute("DETACH copy")


def read_migrations(data: bytes) -> set[str]:
    """Return the names of the migrations of the database that was copied."""
    with _open(data) as connection:
        return {str(row[0]) for row in connection.execute(f"SELECT name FROM {MIGRATIONS}")}  # noqa: S608


@contextlib.contextmanager
def _open(data: bytes) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data)
        yield connection


def _rows(data: bytes) -> list[list[tuple[object, ...]]]:
    with _open(data) as connection:
        connection.text_factory = bytes  # a changed bit need not leave a text
        return [connection.execute(f"SELECT * FROM {t}").fetchall() for t in (MIGRATIONS, *TABLES)]  # noqa: S608


def _parse_head(data: bytes) -> int | None:
    if len(data) < _HEAD.size:
        return None
    magic, size, number = _HEAD.unpack_from(data)
    return int(number) if (magic, size) == (_MAGIC, _SIZE) else None
