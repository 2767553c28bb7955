"""The file of a job store in SQLite: its layout, the space it keeps in reserve, and what becomes of a damaged one."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from .store import StoreFull, StoreUnavailable

T = TypeVar("T")

MIGRATIONS: dict[str, str] = {
    "jobs": """
        CREATE TABLE migrations (name TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE jobs (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            batch TEXT,
            affinity TEXT NOT NULL,
            state TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            place INTEGER NOT NULL,  -- in the queue of its owner
            passed INTEGER NOT NULL DEFAULT 0,  -- how often a younger one was taken for its affinity
            created REAL NOT NULL,
            deadline REAL,
            expires REAL,  -- NULL until it has ended
            untold INTEGER NOT NULL DEFAULT 0,  -- whether a webhook is still to be delivered
            record TEXT NOT NULL  -- the job as JSON, without its request
        );
        CREATE INDEX jobs_state ON jobs (state, seq);
        CREATE INDEX jobs_owner ON jobs (owner, seq);
        CREATE INDEX jobs_owner_state ON jobs (owner, state, seq);
        CREATE INDEX jobs_batch ON jobs (batch, seq) WHERE batch IS NOT NULL;
        CREATE INDEX jobs_queue ON jobs (owner, place) WHERE state = 'queued';
        CREATE INDEX jobs_deadline ON jobs (deadline) WHERE state = 'queued' AND deadline IS NOT NULL;
        CREATE INDEX jobs_expires ON jobs (expires) WHERE expires IS NOT NULL;
        CREATE INDEX jobs_untold ON jobs (seq) WHERE untold = 1;

        -- Large, and never changed: a change of the job does not write it again.
        CREATE TABLE requests (seq INTEGER PRIMARY KEY, request TEXT NOT NULL);

        CREATE TABLE metadata (seq INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (seq, key))
            WITHOUT ROWID;
        CREATE INDEX metadata_value ON metadata (key, value, seq);

        CREATE TABLE keys (
            owner TEXT NOT NULL, key TEXT NOT NULL, job TEXT NOT NULL, fingerprint TEXT, until REAL NOT NULL,
            PRIMARY KEY (owner, key)
        ) WITHOUT ROWID;
        CREATE INDEX keys_until ON keys (until);

        -- `turn` is the number of the owner's last start; numbers, since clocks jump.
        CREATE TABLE owners (owner TEXT PRIMARY KEY, queued INTEGER NOT NULL, turn INTEGER NOT NULL DEFAULT 0)
            WITHOUT ROWID;
        CREATE INDEX owners_turn ON owners (turn);
        CREATE INDEX owners_queued ON owners (turn, owner) WHERE queued > 0;
        CREATE TABLE totals (state TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;

        CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN
            INSERT INTO totals VALUES (new.state, 1) ON CONFLICT DO UPDATE SET number = number + 1;
            INSERT INTO owners (owner, queued) VALUES (new.owner, new.state = 'queued')
                ON CONFLICT DO UPDATE SET queued = queued + (new.state = 'queued');
        END;
        CREATE TRIGGER jobs_changed AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
            UPDATE totals SET number = number - 1 WHERE state = old.state;
            INSERT INTO totals VALUES (new.state, 1) ON CONFLICT DO UPDATE SET number = number + 1;
            UPDATE owners SET queued = queued + (new.state = 'queued') - (old.state = 'queued') WHERE owner = new.owner;
        END;
        CREATE TRIGGER jobs_removed AFTER DELETE ON jobs BEGIN
            UPDATE totals SET number = number - 1 WHERE state = old.state;
            UPDATE owners SET queued = queued - (old.state = 'queued') WHERE owner = old.owner;
        END;
    """,
    "bytes": """
        ALTER TABLE jobs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;  -- of its request
        ALTER TABLE totals ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
        UPDATE jobs SET bytes = (SELECT length(CAST(request AS BLOB)) FROM requests WHERE requests.seq = jobs.seq);
        UPDATE totals SET bytes = (SELECT total(bytes) FROM jobs WHERE jobs.state = totals.state);
        DROP TRIGGER jobs_added;
        DROP TRIGGER jobs_changed;
        DROP TRIGGER jobs_removed;
        CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN
            INSERT INTO totals VALUES (new.state, 1, new.bytes)
                ON CONFLICT DO UPDATE SET number = number + 1, bytes = bytes + new.bytes;
            INSERT INTO owners (owner, queued) VALUES (new.owner, new.state = 'queued')
                ON CONFLICT DO UPDATE SET queued = queued + (new.state = 'queued');
        END;
        CREATE TRIGGER jobs_changed AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
            UPDATE totals SET number = number - 1, bytes = bytes - old.bytes WHERE state = old.state;
            INSERT INTO totals VALUES (new.state, 1, new.bytes)
                ON CONFLICT DO UPDATE SET number = number + 1, bytes = bytes + new.bytes;
            UPDATE owners SET queued = queued + (new.state = 'queued') - (old.state = 'queued') WHERE owner = new.owner;
        END;
        CREATE TRIGGER jobs_removed AFTER DELETE ON jobs BEGIN
            UPDATE totals SET number = number - 1, bytes = bytes - old.bytes WHERE state = old.state;
            UPDATE owners SET queued = queued - (old.state = 'queued') WHERE owner = old.owner;
        END;
    """,
    "tries": """
        ALTER TABLE jobs ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;  -- of its webhook
        ALTER TABLE jobs ADD COLUMN next_try REAL;
    """,
}
"""Each runs once, in a transaction. A change of `Job` or `JobRequest` that old records do not fit needs one too."""


_SMALL = 32 << 20
"""A file of so many bytes is checked whole at every start; a large one takes seconds, on a slow disk half a minute."""


Use = Literal["none", "some", "all"]
"""How much of the space in reserve a change may use. The end of a job may use all: a node that fills the disk would
take at once what was given up before, for the start of another job."""


class Unusable(StoreUnavailable):
    """The file holds no jobs that can be read: it is damaged, another program's, or a newer gateway's. Says which.

    The next start sets it aside.
    """


class JobsFile:
    """The file at `path`, open for this process alone: nobody else can open it, nor can this process a second time.

    `set_aside` is where the file was put that lay there before and could not be used, and `reason` why, if so.
    """

    def __init__(self, path: Path, reserve: int) -> None:
        """Open or make it. Raises `StoreUnavailable`, and `StoreFull` if the disk has no space for an empty one."""
        self.path = path
        self.set_aside: Path | None = None
        self.reason: str | None = None
        self._reserves = {
            path.with_name(path.name + "-reserve"): reserve,
            path.with_name(path.name + "-reserve-for-ends"): reserve // 2,
        }
        """Files in the order in which they are given up, with their sizes in bytes."""
        self.has_reserve = False
        self._suspect = path.with_name(path.name + "-suspect")
        """Is there if damage was found while the file was in use: the next start checks it whole."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot make the folder of {path}: {error.strerror}") from error
        self.database = self._open()
        with contextlib.suppress(OSError):
            self._suspect.unlink()
        self.fill_reserve()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except Unusable:
            with contextlib.suppress(OSError):
                self._suspect.unlink()
            return self._connect()
        except StoreFull:
            if not any(self._spend(part) for part in self._reserves):
                raise
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        with self._translated():
            # Statements are used in one thread only, but made in another.
            database = sqlite3.connect(
                self.path, isolation_level=None, timeout=2, check_same_thread=False, cached_statements=200
            )
        try:
            with self._translated():
                _prepare(database, self.path, self._suspect.exists())
        except Unusable as problem:
            # Before it is closed: SQLite would remove a log that it cannot read.
            self.set_aside, self.reason = _set_aside(self.path), str(problem)
            database.close()
            raise
        except BaseException:
            database.close()
            raise
        return database

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of SQLite are those of a store."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            # Where it cannot make its other files, it does not say that the disk is full.
            unusable = code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
            if code == sqlite3.SQLITE_FULL or (unusable and _is_full(self.path.parent)):
                raise StoreFull(f"no space is left for {self.path}") from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                with contextlib.suppress(OSError):
                    self._suspect.touch()
                raise Unusable(f"{self.path} is damaged: {error}") from error
            if code == sqlite3.SQLITE_BUSY:
                raise StoreUnavailable(f"{self.path} is in use by another process") from error
            raise StoreUnavailable(f"cannot use {self.path}: {error}") from error

    def change(self, work: Callable[[], T], *, use: Use = "all") -> T:
        """Do the work in a transaction, which is committed or leaves nothing.

        Where the disk is full, room is made and it is done once more, as far as it may `use` the space in reserve.
        With "none" it is done only while all of that is there. Raises `StoreFull`, `StoreUnavailable`.
        """
        if use == "none" and not self.fill_reserve():
            raise StoreFull(f"no space is left for {self.path}")
        parts = list(self._reserves)[: {"none": 0, "some": 1, "all": None}[use]]
        while True:
            try:
                return self._transaction(work)
            except StoreFull:
                if not parts:
                    raise
            self.make_room(parts.pop(0))

    def make_room(self, part: Path) -> None:
        """Free a part of the space in reserve, and bring the log into the file: it is written from its start again.

        Changes of jobs that are there mostly write pages that are there, so from then on the log's own space is enough
        for them. It is not given back: whatever else fills this disk would have it at once.
        """
        self._spend(part)
        with contextlib.suppress(sqlite3.Error):
            self.database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def bring_in(self) -> None:
        """Bring the log into the file. Waits for the disk."""
        with contextlib.suppress(sqlite3.Error):
            self.database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def has_free_pages(self) -> bool:
        return bool(self.database.execute("PRAGMA freelist_count").fetchone()[0])

    def shrink(self) -> None:
        """Give back the space of pages without use, a part at a time."""
        with self._translated():
            self.database.executescript("PRAGMA incremental_vacuum(1000)")  # execute would free one page

    def read(self, work: Callable[[], T]) -> T:
        """Raises `StoreUnavailable`."""
        with self._translated():
            return work()

    def _transaction(self, work: Callable[[], T]) -> T:
        with self._translated():
            self.database.execute("BEGIN IMMEDIATE")
            try:
                result = work()
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
        return result

    def _spend(self, part: Path) -> bool:
        """Whether it was there."""
        self.has_reserve = False
        try:
            part.unlink()
        except OSError:
            return False
        return True

    def fill_reserve(self) -> bool:
        """Whether all of the space in reserve is there, or could be put there now."""
        if not self.has_reserve:
            parts = reversed(self._reserves.items())
            self.has_reserve = all(not size or path.exists() or _write_zeros(path, size) for path, size in parts)
        return self.has_reserve

    def close(self) -> None:
        self.database.close()


def _write_zeros(path: Path, size: int) -> bool:
    """Whether there was room for such a file."""
    partial = path.with_name(path.name + ".new")
    try:
        with partial.open("wb") as file:
            # Written, since not every file system sets space aside when asked to.
            for _ in range(-(-size // (64 << 10))):
                file.write(bytes(64 << 10))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        return False
    return True


def _prepare(database: sqlite3.Connection, path: Path, suspect: bool) -> None:
    """Set the connection up, check the file, and bring it to the newest layout."""
    # No other process reads it, so the log needs no shared memory, which some file systems of containers lack.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    done = _find_migrations(database, path)
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file only
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")  # `StoreThread` writes the log to the disk
    database.execute("PRAGMA wal_autocheckpoint = 0")  # so does it bring the log into the file
    database.execute(f"PRAGMA journal_size_limit = {16 << 20}")
    database.execute("PRAGMA cache_size = -8000")
    database.execute("PRAGMA secure_delete = OFF")
    if suspect or path.stat().st_size <= _SMALL:
        found = [row[0] for row in database.execute(f"PRAGMA {'integrity' if suspect else 'quick'}_check(1)")]
        if found != ["ok"]:
            raise Unusable(f"{path} is damaged: {found[0]}")
    for name, script in MIGRATIONS.items():
        if name not in done:
            # executescript would commit by itself before it begins.
            database.executescript(
                f"BEGIN IMMEDIATE; {script} INSERT INTO migrations VALUES ('{name}'); COMMIT;"  # noqa: S608
            )
    # What the first jobs need; of a large file, the rest is found out when it is used.
    database.execute(
        "SELECT total(length(request)) FROM jobs CROSS JOIN requests USING (seq)"
        " WHERE state IN ('queued', 'running', 'canceling')"
    ).fetchall()


def _find_migrations(database: sqlite3.Connection, path: Path) -> set[str]:
    """Those that the file has been through. Raises `Unusable`, before anything was changed."""
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return set()
    if "migrations" not in tables:
        raise Unusable(f"{path} is the database of another program")
    done = {str(row[0]) for row in database.execute("SELECT name FROM migrations")}
    if newer := sorted(done - MIGRATIONS.keys()):
        raise Unusable(f"{path} was written by a newer gateway ({', '.join(newer)})")
    return done


def _set_aside(path: Path) -> Path:
    """Rename the file and its log, never over another one. Returns the new name of the file."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target, number = path.with_name(f"{path.name}.unusable-{stamp}"), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.unusable-{stamp}-{number}")
    try:
        # The log first: with it alone a new file would be damaged too.
        for suffix in ("-wal", "-journal", "-shm", ""):
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(target.with_name(target.name + suffix))
    except OSError as error:
        raise StoreUnavailable(f"cannot rename {path}, which cannot be used: {error.strerror}") from error
    return target


def _is_full(folder: Path) -> bool:
    """Whether the disk has no space, or takes no file more."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail == 0 or (disk.f_files > 0 and disk.f_favail == 0)
