"""Reading and writing the record. Any number of processes may do so at once."""

import contextlib
import fcntl
import getpass
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlite_utils import Database

from pycomfy.errors import BadInput, NoSpace
from pycomfy.flow.lock.model import PlatformName, render_lock
from pycomfy.outside.files import full_disk_is_an_error
from pycomfy.outside.home import Home
from pycomfy.outside.store.migrations import migrations
from pycomfy.outside.store.records import Build, BuildRecord, ImageRecord, Run, RunRecord, VersionRecord
from pycomfy.outside.store.rows import list_sources, pack_row

BUSY = 60.0
"""Seconds to wait for another process's transaction; each takes milliseconds."""


def database_path(home: Home) -> Path:
    return home.data / "pycomfy.db"


class Store:
    """The database at `path`, made and brought up to date if need be. Use it as a context manager, in one thread.

    Every method raises `NoSpace` for a full disk, and `BadInput` for a file that is no record, or a newer one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._translated(), full_disk_is_an_error(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: a transaction begins where we say so, and at once as a writer, so that none has to be refused
            # half-way because another one wrote in between.
            self._connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
            self._db = Database(self._connection)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def record_build(self, build: Build) -> BuildRecord:
        """Record a build: as a new version, unless lock and project are those of the workflow's newest version."""
        lock_sha256 = hashlib.sha256(render_lock(build.lock).encode()).hexdigest()
        now = _now()
        with self._writing():
            workflow = self._workflow(build.lock.name, now)
            newest = self._one(
                "SELECT id, number, lock_sha256, project_sha256 FROM workflow_versions"
                " WHERE workflow_id = ? ORDER BY number DESC LIMIT 1",
                workflow,
            )
            same = newest is not None and (newest["lock_sha256"], newest["project_sha256"]) == (
                lock_sha256,
                build.project_sha256,
            )
            if newest is not None and same:
                version, number = newest["id"], newest["number"]
            else:
                number = newest["number"] + 1 if newest is not None else 1
                version = self._add_version(build, workflow, number, lock_sha256, now)
            image = self._add_image(build, version, now)
            built = self._insert(
                "builds",
                version_id=version,
                image_id=image,
                finished_at=now,
                seconds=build.seconds,
                layers_built=build.layers_built,
                layers_reused=build.layers_reused,
                log=None if build.log is None else str(build.log),
            )
        return BuildRecord(build.lock.name, number, not same, built, image)

    def record_run(self, image: ImageRecord, run: Run) -> int:
        """Record a run of `image`; its id."""
        with self._writing():
            return self._insert(
                "runs",
                image_id=image.id,
                started_at=_now(),
                seconds=run.seconds,
                engine=run.engine,
                gpus=run.gpus,
                outputs=json.dumps([dict(o) for o in run.outputs]),
                error=run.error,
            )

    def find_image(
        self, name: str, version: int | None = None, platform: PlatformName | None = None
    ) -> ImageRecord | None:
        """The image built last for that version, or for the newest version that has one."""
        row = self._one(
            "SELECT i.*, v.number, w.name FROM container_images i"
            " JOIN workflow_versions v ON v.id = i.version_id JOIN workflows w ON w.id = v.workflow_id"
            " LEFT JOIN (SELECT image_id, max(id) AS last FROM builds GROUP BY image_id) b ON b.image_id = i.id"
            " WHERE w.name = ?1 AND (?2 IS NULL OR v.number = ?2) AND (?3 IS NULL OR i.platform = ?3)"
            " ORDER BY v.number DESC, b.last DESC, i.id DESC LIMIT 1",
            name,
            version,
            platform,
        )
        return None if row is None else _image(row)

    def versions(self, name: str | None = None) -> list[VersionRecord]:
        """Every version, or those of one workflow, newest first."""
        rows = self._all(
            "SELECT w.name, v.*, i.manifest_digest, i.size_bytes FROM workflow_versions v"
            " JOIN workflows w ON w.id = v.workflow_id"
            " LEFT JOIN (SELECT version_id, max(id) AS last FROM builds GROUP BY version_id) b ON b.version_id = v.id"
            " LEFT JOIN builds l ON l.id = b.last LEFT JOIN container_images i ON i.id = l.image_id"
            " WHERE ?1 IS NULL OR w.name = ?1 ORDER BY v.id DESC",
            name,
        )
        return [_version(row) for row in rows]

    def names(self) -> list[str]:
        """Every workflow's name, sorted."""
        return [row["name"] for row in self._all("SELECT name FROM workflows ORDER BY name")]

    def runs(self, name: str | None = None) -> list[RunRecord]:
        """Every run, or those of one workflow, newest first."""
        rows = self._all(
            "SELECT r.*, w.name, v.number FROM runs r JOIN container_images i ON i.id = r.image_id"
            " JOIN workflow_versions v ON v.id = i.version_id JOIN workflows w ON w.id = v.workflow_id"
            " WHERE ?1 IS NULL OR w.name = ?1 ORDER BY r.id DESC",
            name,
        )
        return [_run(row) for row in rows]

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
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA synchronous = NORMAL")
        known = {m.name for m in migrations.pending(Database(memory=True))}
        applied = {m.name for m in migrations.applied(self._db)}
        if not applied <= known:
            raise BadInput("the record was made by a newer pycomfy", where=str(self.path), fix="update pycomfy")
        if applied == known and self._db.journal_mode == "wal":
            return
        # SQLite does not wait its turn to change the journal mode, so one process at a time gets this far.
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._db.enable_wal()
            with self._writing():
                migrations.apply(self._db)

    def _workflow(self, name: str, now: str) -> int:
        row = self._one("SELECT id FROM workflows WHERE name = ?", name)
        return int(row["id"]) if row is not None else self._insert("workflows", name=name, created_at=now)

    def _add_version(self, build: Build, workflow: int, number: int, lock_sha256: str, now: str) -> int:
        version = self._insert(
            "workflow_versions",
            workflow_id=workflow,
            number=number,
            message=build.message,
            comfyui_version=build.lock.comfyui.version,
            lock_sha256=lock_sha256,
            workflow_sha256=build.lock.workflow.sha256,
            project_sha256=build.project_sha256,
            created_at=now,
            created_by=_user(),
        )
        for pack in build.lock.packs:
            url, commit, source_hash = pack_row(pack)
            self._insert(
                "custom_nodes",
                version_id=version,
                name=pack.name,
                repository_url=url,
                commit_hash=commit,
                source_hash=source_hash,
                node_mappings=json.dumps(sorted(pack.types)),
                python_dependencies=json.dumps(list(build.requirements.get(pack.name, ()))),
                verified_compatible=build.proven,
            )
        sources = list_sources(build.lock)
        self._connection.executemany(
            "INSERT OR IGNORE INTO sources (role, name, kind, url, hash, size) VALUES (?, ?, ?, ?, ?, ?)",
            [(s.role, s.name, s.kind, s.url, s.hash, s.size) for s in sources],
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO version_sources (version_id, source_id, platform)"
            " SELECT ?, id, ? FROM sources WHERE hash = ? AND role = ? AND name = ? AND url = ?",
            [(version, s.platform, s.hash, s.role, s.name, s.url) for s in sources],
        )
        return version

    def _add_image(self, build: Build, version: int, now: str) -> int:
        image = build.image
        log = None if build.log is None else str(build.log)
        known = self._one(
            "SELECT id FROM container_images WHERE version_id = ? AND platform = ? AND manifest_digest = ?",
            version,
            build.platform,
            image.manifest_digest,
        )
        if known is not None:
            # The same image may lie elsewhere by now: another store, another build.
            self._db.execute(
                "UPDATE container_images SET layout = ?, build_logs = coalesce(?, build_logs) WHERE id = ?",
                [str(image.layout), log, known["id"]],
            )
            return int(known["id"])
        return self._insert(
            "container_images",
            version_id=version,
            platform=build.platform,
            architectures=json.dumps([build.platform.partition("/")[2]]),
            layout=str(image.layout),
            size_bytes=image.size,
            manifest_digest=image.manifest_digest,
            config_digest=image.config_digest,
            diff_ids=json.dumps(list(image.diff_ids)),
            build_logs=log,
            created_at=now,
        )

    def _insert(self, table: str, **values: object) -> int:
        """The new row's id. Table and column names are ours; values are bound."""
        self._db.table(table).insert(values)
        return int(self._connection.execute("SELECT last_insert_rowid()").fetchone()[0])

    def _one(self, sql: str, *values: object) -> Mapping[str, Any] | None:
        return next(iter(self._all(sql, *values)), None)

    def _all(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with self._translated():
            return list(self._db.query(sql, list(values)))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, begun as a writer; nothing of it stays if an exception passes."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

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


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def _image(row: Mapping[str, Any]) -> ImageRecord:
    return ImageRecord(
        id=row["id"],
        name=row["name"],
        version=row["number"],
        platform=row["platform"],
        layout=Path(row["layout"]),
        manifest_digest=row["manifest_digest"],
        config_digest=row["config_digest"],
        diff_ids=tuple(json.loads(row["diff_ids"])),
        size=row["size_bytes"],
    )


def _version(row: Mapping[str, Any]) -> VersionRecord:
    return VersionRecord(
        name=row["name"],
        version=row["number"],
        commit=row["commit_id"],
        parent=row["parent_id"],
        message=row["message"],
        created_at=row["created_at"],
        comfyui_version=row["comfyui_version"],
        lock_sha256=row["lock_sha256"],
        manifest_digest=row["manifest_digest"],
        size=row["size_bytes"],
    )


def _run(row: Mapping[str, Any]) -> RunRecord:
    outputs = tuple(json.loads(row["outputs"]))
    run = Run(row["engine"], row["gpus"], row["seconds"], outputs, row["error"])
    return RunRecord(row["id"], row["name"], row["number"], row["started_at"], run)
