"""The records of assets and blobs, in SQLite. One thread at a time."""

import contextlib
import json
import os
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .model import Asset, NewAsset, NoSpace, clean_content_type, clean_file_path, clean_tags

_MIGRATIONS = (
    (
        "assets",
        """
        CREATE TABLE blobs (hash TEXT PRIMARY KEY, size INTEGER NOT NULL, synced INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE assets (
            id TEXT PRIMARY KEY, hash TEXT NOT NULL REFERENCES blobs, owner TEXT NOT NULL, content_type TEXT NOT NULL,
            file_path TEXT, tags TEXT NOT NULL, job TEXT, created_at REAL NOT NULL, expires_at REAL
        ) WITHOUT ROWID;
        CREATE INDEX assets_hash ON assets (hash);
        CREATE INDEX assets_job ON assets (job) WHERE job IS NOT NULL;
        CREATE INDEX assets_results ON assets (created_at, id) WHERE job IS NOT NULL;
        CREATE INDEX assets_expires ON assets (expires_at) WHERE expires_at IS NOT NULL;
        -- Who has, or had, an asset over a blob: who may use it again. It goes with the blob.
        CREATE TABLE grants (
            hash TEXT NOT NULL REFERENCES blobs ON DELETE CASCADE, owner TEXT NOT NULL, PRIMARY KEY (hash, owner)
        ) WITHOUT ROWID;
        """,
    ),
)

_COLUMNS = "a.id, a.hash, b.size, a.owner, a.content_type, a.file_path, a.tags, a.job, a.created_at, a.expires_at"
_FROM = f"SELECT {_COLUMNS} FROM assets a JOIN blobs b USING (hash)"  # noqa: S608  (no value is in it)
_PAGE = 100
_UNUSABLE = frozenset((sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN))
_LITTLE = 64 << 10


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Raise `NoSpace` for what SQLite raises on a full disk, which it does not always call so."""
    try:
        yield
    except sqlite3.OperationalError as e:
        code = getattr(e, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code in _UNUSABLE and _is_full(path.parent)):
            raise NoSpace(f"no space is left for the record of a file ({e})") from e
        raise


def _is_full(folder: Path) -> bool:
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize < _LITTLE or (about.f_files > 0 and about.f_favail == 0)


class Records:
    """The database `path`. Blobs that lost their last record are told to the caller, who removes their files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _disk_errors(path):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            # No other process reads it: the file needs to be locked once only.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        self.total: int = self._db.execute("SELECT coalesce(sum(size), 0) FROM blobs").fetchone()[0]
        """Bytes of all blobs."""

    def close(self) -> None:
        self._db.close()

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise ValueError("the database of assets was written by a newer version")
        for number, (_, script) in enumerate(_MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """With `durable`, what it changed survives a loss of power as soon as it is over; otherwise a moment later."""
        with _disk_errors(self._path):
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def blob_size(self, digest: str) -> int | None:
        row = self._db.execute("SELECT size FROM blobs WHERE hash = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])

    def may_use(self, digest: str, owner: str) -> bool:
        row = self._db.execute("SELECT 1 FROM grants WHERE hash = ? AND owner = ?", (digest, owner)).fetchone()
        return row is not None

    def add(self, digest: str, size: int, new: NewAsset, *, now: datetime, durable: bool) -> Asset:
        """A new asset, over a blob that may be new."""
        file_path = clean_file_path(new.file_path)
        values = {
            "id": str(uuid.uuid4()),
            "hash": digest,
            "owner": new.owner,
            "content_type": clean_content_type(new.content_type, file_path),
            "file_path": file_path,
            "tags": json.dumps(clean_tags(new.tags)),
            "job": new.job,
            "created_at": now.timestamp(),
            "expires_at": new.expires_at and new.expires_at.timestamp(),
        }
        with self._transaction(durable=durable) as db:
            added = db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)", (digest, size, durable)).rowcount
            names = ", ".join(f":{name}" for name in values)
            db.execute(f"INSERT INTO assets VALUES ({names})", values)  # noqa: S608  (the names are those above)
            db.execute("INSERT OR IGNORE INTO grants VALUES (?, ?)", (digest, new.owner))
        self.total += size if added else 0
        return _parse(self._db.execute(f"{_FROM} WHERE a.id = :id", values).fetchone())

    def get(self, asset: str) -> Asset | None:
        row = self._db.execute(f"{_FROM} WHERE a.id = ?", (asset,)).fetchone()
        return None if row is None else _parse(row)

    def find_same(self, digest: str, new: NewAsset) -> Asset | None:
        """An upload of the owner's with the same bytes, name and type."""
        file_path = clean_file_path(new.file_path)
        wanted = (digest, new.owner, file_path, clean_content_type(new.content_type, file_path))
        where = "a.hash = ? AND a.owner = ? AND a.file_path IS ? AND a.content_type = ? AND a.job IS NULL"
        row = self._db.execute(f"{_FROM} WHERE {where} ORDER BY a.created_at DESC LIMIT 1", wanted).fetchone()
        return None if row is None else _parse(row)

    def find_type(self, digest: str, owner: str) -> str | None:
        """The media type that the owner's newest asset of a blob has."""
        sql = "SELECT content_type FROM assets WHERE hash = ? AND owner = ? ORDER BY created_at DESC LIMIT 1"
        row = self._db.execute(sql, (digest, owner)).fetchone()
        return None if row is None else str(row[0])

    def prolong(self, asset: str, until: datetime | None) -> None:
        """Keep it at least until then; None: for ever. Never shorter than before."""
        with self._transaction() as db:
            if until is None:
                db.execute("UPDATE assets SET expires_at = NULL WHERE id = ?", (asset,))
            else:
                db.execute("UPDATE assets SET expires_at = max(expires_at, ?) WHERE id = ?", (until.timestamp(), asset))

    def expired(self, now: datetime) -> Iterator[Asset]:
        """Longest over first. Those that were given may be removed meanwhile."""
        return self._in_order("expires_at", "a.expires_at <= ?", now.timestamp())

    def results(self, job: str | None = None) -> Iterator[Asset]:
        """What jobs made, or one of them; oldest first. Those that were given may be removed meanwhile."""
        return self._in_order(
            "created_at", "a.job IS NOT NULL" if job is None else "a.job = ?", *([job] if job else [])
        )

    def _in_order(self, column: str, where: str, *values: Any) -> Iterator[Asset]:
        sql = f"{_FROM} WHERE {where} AND (a.{column}, a.id) > (?, ?) ORDER BY a.{column}, a.id LIMIT {_PAGE}"
        last: tuple[float, str] = (-1.0, "")
        while page := [_parse(row) for row in self._db.execute(sql, (*values, *last))]:
            yield from page
            last = (getattr(page[-1], column).timestamp(), page[-1].id)

    def remove(self, assets: Collection[str]) -> Mapping[str, int]:
        """Remove records: the blobs that no record holds any more, with their sizes."""
        if not assets:
            return {}
        gone: dict[str, int] = {}
        with self._transaction() as db:
            for asset in assets:
                row = db.execute("DELETE FROM assets WHERE id = ? RETURNING hash", (asset,)).fetchall()
                for (digest,) in row:
                    if db.execute("SELECT 1 FROM assets WHERE hash = ? LIMIT 1", (digest,)).fetchone() is None:
                        sql = "DELETE FROM blobs WHERE hash = ? RETURNING size"
                        gone[digest] = db.execute(sql, (digest,)).fetchall()[0][0]
        self.total -= sum(gone.values())
        return gone

    def shrink(self) -> None:
        """Bring the log into the database, as far as there is room: then it takes no space of its own."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def forget_blob(self, digest: str) -> None:
        """Remove a blob and all records of it."""
        with self._transaction() as db:
            db.execute("DELETE FROM assets WHERE hash = ?", (digest,))
            sizes = db.execute("DELETE FROM blobs WHERE hash = ? RETURNING size", (digest,)).fetchall()
        self.total -= sum(size for (size,) in sizes)

    def blobs(self) -> list[str]:
        return [digest for (digest,) in self._db.execute("SELECT hash FROM blobs")]

    def unsynced(self) -> list[str]:
        """Blobs whose bytes may not have come to the disk before a loss of power."""
        return [digest for (digest,) in self._db.execute("SELECT hash FROM blobs WHERE synced = 0")]

    def mark_synced(self, digests: Collection[str]) -> None:
        with self._transaction() as db:
            db.executemany("UPDATE blobs SET synced = 1 WHERE hash = ?", [(digest,) for digest in digests])

    def counts(self) -> tuple[int, int]:
        """How many assets and how many blobs there are."""
        row = self._db.execute("SELECT (SELECT count(*) FROM assets), (SELECT count(*) FROM blobs)").fetchone()
        return int(row[0]), int(row[1])


def _parse(row: tuple[Any, ...]) -> Asset:
    asset, digest, size, owner, content_type, file_path, tags, job, created_at, expires_at = row
    return Asset(
        id=asset,
        hash=digest,
        size=size,
        owner=owner,
        content_type=content_type,
        file_path=file_path,
        tags=tuple(json.loads(tags)),
        job=job,
        created_at=datetime.fromtimestamp(created_at, UTC),
        expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
    )
