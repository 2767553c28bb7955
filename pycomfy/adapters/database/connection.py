"""Open the database's SQLite file, bring it up to date, read it, and write it in transactions.

Any number of processes may do so at once. Reading is sqlite3's alone: sqlite-utils, which makes the tables and writes
the rows, takes longer to import than all that lists the versions.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pycomfy.adapters.database import migrations
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.sqlite_file import SqliteFile
from pycomfy.errors import BadInput, NoSpace, suggest
from pycomfy.operation import cancel_scope

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table

BUSY = 300.0
"""Seconds to wait for another process's transaction. It takes milliseconds, and seconds where thousands of versions are
indexed anew."""

_MOMENT = 200  # milliseconds

_UNUSABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_BUSY")
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


MAKE_ANEW = suggest("reindex", "puts the file aside, and makes a new one from the versions repository")


class UnusableDatabase(BadInput):
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
            # Autocommit: a transaction begins where we say so, and at once as a writer, so that none has to be refused
            # half-way because another one wrote in between.
            super().__init__(path, sqlite3.connect(path, timeout=BUSY, isolation_level=None))
            try:
                self._prepare()
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

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write in one transaction; nothing of it stays if an exception passes. Raises `Cancelled` if the operation is
        cancelled while another one writes."""
        with _translate(self.path):
            self._begin()
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

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
        self._connection.execute("PRAGMA synchronous = NORMAL")
        known, applied = migrations.names(), migrations.applied(self._connection)
        if migrations.is_outdated(applied):
            what = "the database was made by a development version of pycomfy, before its first release"
            raise OutdatedDatabase(what, where=str(self.path), fix=MAKE_ANEW)
        if not applied <= known:
            fixes = ("update pycomfy", suggest("reindex", "makes a new one, once the file is moved away"))
            raise BadInput("the database was made by a newer pycomfy", where=str(self.path), fix=fixes)
        if applied == known and self._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        # SQLite does not wait its turn to change the journal mode, so one process at a time gets this far.
        with exclusive_lock(self.path.with_name(f"{self.path.name}.lock")):
            self._tables.enable_wal()
            with self.writing():
                migrations.apply(self._tables)


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
        if name.startswith("SQLITE_FULL"):
            raise NoSpace("no space left for the database", where=where, fix="free some space") from e
        if name.startswith(_UNUSABLE):
            fix = "see that the folder can be written, and that no other program holds the file"
            raise BadInput(f"the database cannot be used: {e}", where=where, fix=fix) from e
        if name.startswith(_DAMAGED):
            raise DamagedDatabase(f"the database is damaged: {e}", where=where, fix=MAKE_ANEW) from e
        raise
