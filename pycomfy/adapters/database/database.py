"""Read and write the database: versions, images, sources, builds and runs."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from pycomfy.adapters.database.connection import MAKE_ANEW, Connection, DamagedDatabase
from pycomfy.adapters.database.copy import copy_path
from pycomfy.adapters.database.records import (
    DescriptionRow,
    ImageRecord,
    ImageVersionRow,
    NewestRecord,
    OperationCountRow,
    OperationRecord,
    OperationState,
    RunRecord,
    VersionCountRow,
    VersionRecord,
)
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import NotFound, suggest

if TYPE_CHECKING:
    from pycomfy.adapters.database.entries import Build, IndexedImage, Run, VersionEntry, VersionKey
    from pycomfy.core.lockfile.platforms import PlatformName
    from pycomfy.core.versions.built_image import BuiltImage

# A workflow's versions are in the order of their numbers: a clock may go wrong. Those of all are in that of dates.
# The newest image of each tree is that of every version with it: equal trees have equal images. One platform speaks
# for all, so that building for another does not change what a version is called by.
_ABOUT = (
    "w.name, v.number AS version, coalesce(v.commit_id, '') AS \"commit\", v.parent_id AS parent,"
    " coalesce(v.message, '') AS message, coalesce(v.changes, '[]') AS summary,"
    " coalesce(v.created_by, '') AS created_by, v.created_at, v.comfyui_version, v.lock_sha256,"
    " newest.manifest_digest, newest.size_bytes AS size, v.problem"
)
_LATEST = "b.id + (i.platform = 'linux/amd64') * 1000000000000"
_VERSIONS = (
    "WITH newest AS (SELECT o.tree_id, i.manifest_digest, i.size_bytes,"  # noqa: S608  (constants alone)
    f" max({_LATEST}) FROM container_images i"
    " JOIN workflow_versions o ON o.id = i.version_id JOIN builds b ON b.image_id = i.id GROUP BY o.tree_id)"
    f" SELECT {_ABOUT} FROM workflow_versions v"
    " JOIN workflows w ON w.id = v.workflow_id LEFT JOIN newest ON newest.tree_id = v.tree_id"
    " WHERE ?1 IS NULL OR w.name = ?1"
    " ORDER BY CASE WHEN ?1 IS NULL THEN v.created_at END DESC, v.number DESC, w.name"
)

# Workflows are few, and their versions may be thousands: those are counted, and only the newest is read. Its image is
# found as above.
_NEWEST = (
    f"SELECT {_ABOUT}, p.versions FROM (SELECT id,"  # noqa: S608  (constants alone)
    " count(*) OVER (PARTITION BY workflow_id) AS versions, row_number() OVER (PARTITION BY workflow_id"
    " ORDER BY number DESC) AS place FROM workflow_versions) p"
    " JOIN workflow_versions v ON v.id = p.id JOIN workflows w ON w.id = v.workflow_id"
    " LEFT JOIN container_images newest ON newest.id = (SELECT i.id FROM workflow_versions o"
    " JOIN container_images i ON i.version_id = o.id JOIN builds b ON b.image_id = i.id WHERE o.tree_id = v.tree_id"
    f" ORDER BY {_LATEST} DESC LIMIT 1)"
    " WHERE p.place = 1 AND (?1 IS NULL OR w.name = ?1)"
)

_IMAGE = "SELECT i.*, i.size_bytes AS size, v.number AS version, w.name"


def database_path(paths: Paths) -> Path:
    """Return the database's file, which need not exist."""
    return paths.data / "pycomfy.db"


def is_there(path: Path) -> bool:
    """Return whether there is a database, or a copy of one that is missing."""
    return path.exists() or copy_path(path).exists()


class Database(Connection):
    """The database at `path`; see `Connection`."""

    # — versions —

    def commits(self) -> dict[str, dict[int, str]]:
        """Return the commit of every version, by workflow and number; "" for one that could not be read."""
        found: dict[str, dict[int, str]] = {}
        for name, number, commit, problem in self.read_tuples(
            tuple[str, int, str | None, str | None],
            "SELECT w.name, v.number, v.commit_id, v.problem FROM workflow_versions v"
            " JOIN workflows w ON w.id = v.workflow_id",
        ):
            found.setdefault(name, {})[number] = "" if problem is not None else commit or ""
        return found

    def index(
        self,
        stale: "Sequence[VersionKey]",
        entries: "Iterable[VersionEntry]",
        images: "Iterable[IndexedImage]" = (),
    ) -> None:
        """Remove the `stale` versions; add `entries` of the versions repository, each in the place of what has its
        number, and `images` of trees that any version has. Images, builds and runs of a removed version go to another
        one with the same tree, if there is one."""
        from pycomfy.adapters.database.indexing import apply

        with self.writing():
            apply(self, stale, entries, images)

    def versions(self, name: str | None = None) -> list[VersionRecord]:
        """Return every version, or those of one workflow, newest first."""
        return self.read(VersionRecord, _VERSIONS, name)

    def newest(self, name: str | None = None) -> list[NewestRecord]:
        """Return the newest version of every workflow, or of one, with how many that has."""
        return self.read(NewestRecord, _NEWEST, name)

    def names(self) -> list[str]:
        """Return every workflow's name, sorted."""
        return [name for (name,) in self.read_tuples(tuple[str], "SELECT name FROM workflows ORDER BY name")]

    def trees(self) -> set[str]:
        """Return the tree of every version."""
        return {tree for (tree,) in self.read_tuples(tuple[str], "SELECT DISTINCT tree_id FROM workflow_versions")}

    # — images —

    def record_build(self, build: "Build") -> int:
        """Record a build of a version that is indexed; return its id. Raises `NotFound` for another version."""
        from pycomfy.adapters.database.indexing import add_build

        with self.writing():
            version = self.one(
                "SELECT v.tree_id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
                " WHERE w.name = ? AND v.number = ?",
                build.name,
                build.version,
            )
            if version is None:
                what = f"no version {build.name}@{build.version}"
                raise NotFound(what, where=str(self.path), fix=suggest("reindex", "then build again"))
            return add_build(self, build, version["tree_id"])

    def find_image(
        self, name: str, version: int | None = None, platform: "PlatformName | None" = None
    ) -> ImageRecord | None:
        """Return the image built last for that version, or for the newest version that has one."""
        found = self.read(
            ImageRecord,
            f"{_IMAGE} FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"  # noqa: S608
            " JOIN workflow_versions o ON o.tree_id = v.tree_id JOIN container_images i ON i.version_id = o.id"
            " LEFT JOIN (SELECT image_id, max(id) AS last FROM builds GROUP BY image_id) b ON b.image_id = i.id"
            " WHERE w.name = ?1 AND (?2 IS NULL OR v.number = ?2) AND (?3 IS NULL OR i.platform = ?3)"
            " ORDER BY v.number DESC, b.last DESC, i.id DESC LIMIT 1",
            name,
            version,
            platform,
        )
        return next(iter(found), None)

    def images(self) -> list[ImageRecord]:
        """Return every image."""
        return self.read(
            ImageRecord,
            f"{_IMAGE} FROM container_images i JOIN workflow_versions v ON v.id = i.version_id"
            " JOIN workflows w ON w.id = v.workflow_id",
        )

    def image_versions(self) -> list[ImageVersionRow]:
        """Return every version with every image that was built of its files, the newest versions first."""
        return self.read(
            ImageVersionRow,
            "SELECT DISTINCT w.name, v.number AS version, v.created_at, i.manifest_digest, i.config_digest"
            " FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
            " JOIN workflow_versions o ON o.tree_id = v.tree_id JOIN container_images i ON i.version_id = o.id"
            " ORDER BY w.name, v.number DESC",
        )

    def image_keys(self) -> set[tuple[str, str, str]]:
        """Return tree, platform and manifest digest of every image."""
        rows = self.read_tuples(
            tuple[str, str, str],
            "SELECT v.tree_id, i.platform, i.manifest_digest FROM container_images i"
            " JOIN workflow_versions v ON v.id = i.version_id",
        )
        return set(rows)

    def descriptions(self) -> dict[tuple[str, str], list["BuiltImage"]]:
        """Return what the versions repository said of every image, by tree and platform; the newest build's last."""
        from pycomfy.core.versions.built_image import BuiltImage

        found: dict[tuple[str, str], list[BuiltImage]] = {}
        for row in self.read(
            DescriptionRow,
            "SELECT i.*, v.tree_id FROM container_images i JOIN workflow_versions v ON v.id = i.version_id"
            " WHERE i.description IS NOT NULL ORDER BY i.id",
        ):
            names = ("platform", "manifest_digest", "config_digest", "diff_ids")
            columns = {**{name: getattr(row, name) for name in names}, "size": row.size_bytes}
            with self.checking_rows():
                found.setdefault((row.tree_id, row.platform), []).append(
                    BuiltImage.model_validate({**row.description, **columns})
                )
        return found

    # — runs —

    def record_run(self, image: ImageRecord, run: "Run") -> int:
        """Record a run of `image`; return its id."""
        with self.writing():
            return self.insert(
                "runs",
                {
                    "image_id": image.id,
                    "started_at": f"{run.started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "seconds": run.seconds,
                    "engine": run.engine,
                    "gpus": run.gpus,
                    "outputs": json.dumps([dict(o) for o in run.outputs]),
                    "error": run.error,
                    "inputs": json.dumps(dict(run.inputs), ensure_ascii=False),
                    "input_files": json.dumps(dict(run.files)),
                    "node_values": json.dumps([dict(value) for value in run.values]),
                    "device": run.device,
                },
            )

    def runs(self, name: str | None = None) -> list[RunRecord]:
        """Return every run, or those of one workflow, newest first."""
        return self.read(
            RunRecord,
            'SELECT r.*, w.name, v.number AS version, r.input_files AS files, r.node_values AS "values" FROM runs r'
            " JOIN container_images i ON i.id = r.image_id"
            " JOIN workflow_versions v ON v.id = i.version_id JOIN workflows w ON w.id = v.workflow_id"
            " WHERE ?1 IS NULL OR w.name = ?1 ORDER BY r.id DESC",
            name,
        )

    # — operations of the server —

    def add_operation(self, record: OperationRecord) -> None:
        """Add an operation."""
        with self.writing():
            self.insert("operations", {**vars(record), "arguments": json.dumps(record.arguments)})

    def change_operation(
        self, key: str, state: OperationState, at: str, *, exit_status: int | None = None, frm: Sequence[str]
    ) -> bool:
        """Put an operation into another state, if it is in one of `frm`; return whether it was."""
        column = "started_at" if state == "running" else "finished_at"
        with self.writing():
            row = self.one("SELECT state FROM operations WHERE key = ?", key)
            if row is None or row["state"] not in frm:
                return False
            self.change(
                f"UPDATE operations SET state = ?, {column} = ?, exit_status = ? WHERE key = ?",  # noqa: S608
                state,
                at,
                exit_status,
                key,
            )
        return True

    def operations(self, workflow: str | None = None, limit: int = 1000) -> list[OperationRecord]:
        """Return the newest operations, or those of one workflow, newest first."""
        return self.read(
            OperationRecord,
            "SELECT * FROM operations WHERE ?1 IS NULL OR workflow = ?1 ORDER BY id DESC LIMIT ?2",
            workflow,
            limit,
        )

    def find_operation(self, key: str) -> OperationRecord | None:
        """Return an operation; None for an unknown one."""
        return next(iter(self.read(OperationRecord, "SELECT * FROM operations WHERE key = ?", key)), None)

    # — counts —

    def count_operations(self) -> dict[tuple[str, str], int]:
        """Return how many operations there are, by kind and state."""
        sql = "SELECT kind, state, count(*) AS number FROM operations GROUP BY kind, state"
        return {(row.kind, row.state): row.number for row in self.read(OperationCountRow, sql)}

    def count_versions(self) -> tuple[int, int]:
        """Return how many workflows and how many versions there are."""
        sql = "SELECT count(DISTINCT workflow_id) AS workflows, count(*) AS versions FROM workflow_versions"
        (row,) = self.read(VersionCountRow, sql)
        return row.workflows, row.versions

    # — all —

    def check(self) -> None:
        """Read every row. Raises `DamagedDatabase` for one that this program cannot have written."""
        if lost := self.all("PRAGMA foreign_key_check"):
            what = f"the database is damaged: {len(lost)} of its rows refer to others that are not there"
            raise DamagedDatabase(what, where=str(self.path), fix=MAKE_ANEW)
        self.commits()
        self.versions()
        self.trees()
        self.images()
        self.descriptions()
        self.runs()
        self.operations()
