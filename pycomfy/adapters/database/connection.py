"""Open the database's SQLite file, bring it up to date, read it, and write it in transactions.

Any number of processes may do so at once. A database that is missing begins as its copy. Reading is sqlite3's alone:
sqlite-utils, which makes the tables and writes the rows, takes longer to import than all that lists the versions.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Hashable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from pycomfy import operation
from pycomfy.adapters.database import migrations
from pycomfy.adapters.database.copy import (
    collect,
    copy_path,
    count_transactions,
    has_same_rows,
    number_of,
    read_copy,
    read_migrations,
    read_number,
    restore,
    write_copy,
)
from pycomfy.adapters.io.atomic_files import is_full, no_space, translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.sqlite_file import SqliteFile
from pycomfy.errors import BadInput, PycomfyError, suggest
from pycomfy.operation import cancel_scope

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from sqlite_utils import Database
    from sqlite_utils.db import Table

T = TypeVar("T")

BUSY = 300.0
"""Seconds to wait for another process's transaction. It takes milliseconds, and seconds where thousands of versions are
indexed anew."""

_MOMENT = 200  # milliseconds

_FIRST = 1  # the number of the transaction that makes the tables

_UNUSABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_BUSY")
# Our statements are always the same: tables that do not fit them, and rows that are in their way, are not ours.
_IN_THE_WAY = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY")
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR", *_IN_THE_WAY)

FILES = ("", "-wal", "-shm")
"""What follows the database's name in the names of its files."""

MAKE_ANEW = suggest("reindex", "puts the file aside, and makes a new one from its copy and the versions repository")


class DatabaseError(BadInput):
    """The file cannot be read or written."""


class UnusableDatabase(DatabaseError):
    """The file cannot be used, but a new one can be made from the versions repository. `state` says why in one
    word."""

    state: ClassVar[str]


class DamagedDatabase(UnusableDatabase):
    """The file is not a SQLite database, or not a whole one."""

    state = "damaged"


class OutdatedDatabase(UnusableDatabase):
    """It was made by a development version of pycomfy, before the first release."""

    state = "outdated"


class Connection(SqliteFile):
    """The database at `path`, which is created if it is missing, and brought up to date. Use it as a context manager,
    in one thread.

    Every method raises `NoSpace` for a full disk, `UnusableDatabase`, and `BadInput` for a database of a newer pycomfy
    or with a path that is not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        if _storable(str(path)) != str(path):
            fix = "set PYCOMFY_HOME to a folder with another path"
            what = "the path of the database is not UTF-8, and it would have to contain paths beside it"
            raise BadInput(what, where=str(path), fix=fix)
        with _translate(path), translate_disk_full(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _begin_as_copy(path)
            copied = read_number(path)  # before the database: no copy is newer
            # Autocommit: a transaction begins where we say so, and at once as a writer, so that none has to be refused
            # half-way because another one wrote in between.
            super().__init__(path, sqlite3.connect(path, timeout=BUSY, isolation_level=None))
            try:
                self._prepare()
                if copied is not None and copied > count_transactions(self._connection):
                    what = "the database lost its newest changes, which its copy has"
                    raise DamagedDatabase(what, where=str(path), fix=MAKE_ANEW)
            except BaseException:
                self.close()
                raise

    def one(self, sql: str, *values: object) -> Mapping[str, Any] | None:
        """Return the first row, None if there is none."""
        return next(iter(self.all(sql, *values)), None)

    def all(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Return every row."""
        with _translate(self.path):
            return [dict(row) for row in self._connection.execute(sql, tuple(map(_storable, values)))]

    def read(self, shape: type[T], sql: str, *values: object) -> list[T]:
        """Return every row as a `shape`, a dataclass whose fields are columns. Raises `DamagedDatabase`
        for a row that does not fit."""
        rows = self.all(sql, *values)
        with self.checking_rows():
            found: list[T] = _adapter(cast("Hashable", shape)).validate_python(rows)
        return found

    def read_tuples(self, shape: type[T], sql: str, *values: object) -> list[T]:
        """Return every row as a `shape`, a tuple with the types of the columns: of thousands of rows in half the time.
        Raises `DamagedDatabase` for a row that does not fit."""
        with _translate(self.path):
            rows = [tuple(row) for row in self._connection.execute(sql, tuple(map(_storable, values)))]
        with self.checking_rows():
            found: list[T] = _adapter(cast("Hashable", shape)).validate_python(rows)
        return found

    @contextlib.contextmanager
    def checking_rows(self) -> Iterator[None]:
        """Raise `DamagedDatabase` for what a row cannot be made into."""
        try:
            yield
        except ValueError as e:
            what = "the database is damaged: it has a row that pycomfy cannot have written"
            raise DamagedDatabase(what, where=str(self.path), fix=MAKE_ANEW) from e

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write in one transaction; nothing of it stays if an exception passes. The copy is brought up to date then.

        Raises `Cancelled` if the operation is cancelled while another one writes; `DamagedDatabase`, before anything
        is written, if the database is not as it was when it was copied."""
        with _translate(self.path), translate_disk_full(copy_path(self.path)):
            self._compare_with_copy()
            with self._transaction():
                yield
            self._save_copy()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._begin()
        try:
            yield
            self._connection.execute(f"PRAGMA user_version = {(count_transactions(self._connection) + 1) % (1 << 31)}")
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def _compare_with_copy(self) -> None:
        number = count_transactions(self._connection)
        if read_number(self.path) != number:
            if not copy_path(self.path).exists() and number > _FIRST:
                operation.report("note: the copy of the database was missing, and is made anew")
            return  # there is none, or its writer was killed, or has not written it yet
        try:
            copy = read_copy(self.path)
        except ValueError as e:
            operation.report(f"note: the copy of the database was damaged, and is made anew ({e})")
            return
        now = collect(self._connection)
        # Somebody may have written meanwhile. What has one number is the same.
        if copy is not None and number_of(copy) == number_of(now) and not has_same_rows(copy, now):
            raise DamagedDatabase("the database differs from its copy", where=str(self.path), fix=MAKE_ANEW)

    def _save_copy(self) -> None:
        try:
            # One at a time, and read meanwhile: no copy may replace a newer one.
            with exclusive_lock(_lock_path(self.path)):
                write_copy(self.path, collect(self._connection))
        except PycomfyError as e:
            operation.report(f"warning: the database could not be copied: {e.what} ({e.where})", e.fixes)

    def _begin(self) -> None:
        """Become the only writer. SQLite's own waiting cannot be cancelled, so it waits for moments."""
        scope, deadline = cancel_scope(), time.monotonic() + BUSY
        self._connection.execute(f"PRAGMA busy_timeout = {_MOMENT}")
        try:
            while True:
                try:
                    self._connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as e:
                    if not str(e.sqlite_errorname).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                        raise
                    scope.check()
                else:
                    return
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY * 1000)}")

    def table(self, name: str) -> "Table":
        """Return a table to write, within `writing`."""
        return self._tables.table(name)

    def insert(self, table: str, row: Mapping[str, object]) -> int:
        """Add a row, within `writing`; return its id."""
        id_ = self.table(table).insert({name: _storable(value) for name, value in row.items()}).last_pk
        assert isinstance(id_, int)  # noqa: S101  (every table has one)
        return id_

    def change(self, sql: str, *values: object) -> None:
        """Change rows, within `writing`."""
        self._connection.execute(sql, tuple(map(_storable, values)))

    @cached_property
    def _tables(self) -> "Database":
        from sqlite_utils import Database

        return Database(self._connection)

    def _prepare(self) -> None:
        """Set up this connection, and make the tables."""
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA synchronous = FULL")  # the copy must not survive what the database loses
        known, applied = migrations.names(), migrations.applied(self._connection)
        if migrations.is_outdated(applied):
            what = "the database was made by a development version of pycomfy, before its first release"
            raise OutdatedDatabase(what, where=str(self.path), fix=MAKE_ANEW)
        if not applied <= known:
            raise _newer(self.path)
        if applied == known and self._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        # SQLite does not wait its turn to change the journal mode, so one process at a time gets this far.
        with exclusive_lock(_lock_path(self.path)):
            self._tables.enable_wal()
            with self._transaction():
                migrations.apply(self._tables)


@cache
def _adapter(shape: Hashable) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(list[shape])  # type: ignore[valid-type]


def put_aside(path: Path, aside: Path) -> None:
    """Rename a database, with the files beside it; the next connection makes a new one."""
    with exclusive_lock(_lock_path(path)):
        for suffix in FILES:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))


def _begin_as_copy(path: Path) -> None:
    """Make the database from its copy where it is missing, or empty: so is one whose first transaction was never
    written. Raises `DatabaseError` for a copy of a newer pycomfy."""
    if _has_content(path) or not copy_path(path).exists():
        return
    with exclusive_lock(_lock_path(path)):
        if _has_content(path):
            return
        try:
            data = read_copy(path)
        except ValueError as e:
            aside = copy_path(path).with_suffix(".damaged.zst")
            copy_path(path).replace(aside)
            operation.report(f"warning: the database is missing and its copy is damaged ({e}): its runs are lost")
            return
        if data is None:
            return
        if not read_migrations(data) <= migrations.names():
            raise _newer(copy_path(path))
        new = path.with_name(f"{path.name}.new")
        for file in (new, path):
            for suffix in FILES:  # of another database
                file.with_name(file.name + suffix).unlink(missing_ok=True)
        _make_from_copy(new, data)
        new.replace(path)
        operation.report(f"note: the database was missing, and is made from its copy: {path}")


def restore_copy(of: Path, path: Path) -> None:
    """Make a database at `path` from the copy of another one, if that has one that can be read."""
    with contextlib.suppress(ValueError, OSError):
        data = read_copy(of)
        if data is not None and read_migrations(data) <= migrations.names():
            _make_from_copy(path, data)


def _make_from_copy(path: Path, data: bytes) -> None:
    from sqlite_utils import Database

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        tables = Database(connection)
        tables.enable_wal()
        migrations.apply(tables)
        restore(connection, data, "it was not read since the database was lost")


def _newer(path: Path) -> DatabaseError:
    fixes = ("update pycomfy", suggest("reindex", "makes a new one, once the file and its copy are moved away"))
    return DatabaseError("the database was made by a newer pycomfy", where=str(path), fix=fixes)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _storable(value: object) -> object:
    r"""A text that SQLite accepts: an argument or a path may have bytes that are not UTF-8, which become `\udce9`."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


@contextlib.contextmanager
def _translate(path: Path) -> Iterator[None]:
    """Turn SQLite's errors that a user can fix into ours."""
    try:
        yield
    except sqlite3.DatabaseError as e:
        # Absent for errors of Python's own; may be of a finer kind, such as SQLITE_IOERR_WRITE.
        name, where = str(getattr(e, "sqlite_errorname", "")), str(path)
        # Where it cannot make its other files, or the memory that its processes share, it does not say that it is full.
        if name.startswith("SQLITE_FULL") or (name.startswith(_UNUSABLE) and is_full(path)):
            raise no_space(path) from e
        if name.startswith(_UNUSABLE) and path.exists() and not os.access(path, os.R_OK):
            raise DatabaseError("no permission to read the database", where=where, fix="change its permissions") from e
        if name.startswith(_UNUSABLE):
            fix = "see that the folder can be written, and that no other program holds the file"
            raise DatabaseError(f"the database cannot be used: {e}", where=where, fix=fix) from e
        if name.startswith(_DAMAGED) or (not name and isinstance(e, sqlite3.OperationalError)):  # a text is not UTF-8
            raise DamagedDatabase(f"the database is damaged: {e}", where=where, fix=MAKE_ANEW) from e
        raise
    except MemoryError as e:  # the file asks for more than there is
        what = "the database is damaged: SQLite has no memory for what it says of itself"
        raise DamagedDatabase(what, where=str(path), fix=MAKE_ANEW) from e
    except UnicodeDecodeError as e:  # of the text of an error
        raise DamagedDatabase(f"the database is damaged: {e}", where=str(path), fix=MAKE_ANEW) from e
