"""The record's SQLite file: opened, brought up to date, and written in transactions. Any number of processes may."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pycomfy.adapters.database import migrations
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.errors import BadInput, NoSpace

BUSY = 300.0
"""Seconds to wait for another process's transaction. It takes milliseconds, and seconds where thousands of versions are
indexed anew."""


class Connection:
    """The database at `path`, made and brought up to date if need be. Use it as a context manager, in one thread.

    Every method raises `NoSpace` for a full disk, and `BadInput` for a file that is no record, or a newer one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._translated(), translate_disk_full(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: a transaction begins where we say so, and at once as a writer, so that none has to be refused
            # half-way because another one wrote in between.
            self._connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def one(self, sql: str, *values: object) -> Mapping[str, Any] | None:
        return next(iter(self.all(sql, *values)), None)

    def all(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with self._translated():
            return [dict(row) for row in self._connection.execute(sql, values)]

    def insert(self, table: str, **values: object) -> int:
        """The new row's id. Table and column names are ours; values are bound."""
        columns, marks = ", ".join(f"[{name}]" for name in values), ", ".join("?" * len(values))
        sql = f"INSERT INTO [{table}] ({columns}) VALUES ({marks})"  # noqa: S608  (names are ours)
        return int(self._connection.execute(sql, tuple(values.values())).lastrowid or 0)

    def change(self, sql: str, *values: object) -> None:
        self._connection.execute(sql, values)

    def change_many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(sql, rows)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, begun as a writer; nothing of it stays if an exception passes."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """Settings of this connection, and the tables."""
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        known, applied = migrations.names(), self._applied()
        if not applied <= known:
            raise BadInput("the record was made by a newer pycomfy", where=str(self.path), fix="update pycomfy")
        if applied == known and self._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        from sqlite_utils import Database  # every other command is spared the import

        db = Database(self._connection)
        # SQLite does not wait its turn to change the journal mode, so one process at a time gets this far.
        with exclusive_lock(self.path.with_name(f"{self.path.name}.lock")):
            db.enable_wal()
            with self.writing():
                migrations.apply(db)

    def _applied(self) -> set[str]:
        """The names of the steps that were applied."""
        table = "_sqlite_migrations"
        if self.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table) is None:
            return set()
        rows = self.all(f"SELECT name FROM {table} WHERE migration_set = ?", migrations.SET)  # noqa: S608
        return {row["name"] for row in rows}

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as e:
            if e.sqlite_errorname == "SQLITE_FULL":
                raise NoSpace("no space left for the record", where=str(self.path), fix="free some space") from e
            if e.sqlite_errorname in {"SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_BUSY"}:
                fix = "see that the folder can be written, and that no other program holds the file"
                raise BadInput(f"the record cannot be used: {e}", where=str(self.path), fix=fix) from e
            raise
        except sqlite3.DatabaseError as e:
            if e.sqlite_errorname in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
                fix = "move the file away; a new one is begun"
                raise BadInput(f"the record is damaged: {e}", where=str(self.path), fix=fix) from e
            raise
