"""Reading and writing the record. Any number of processes may do so at once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycomfy.adapters.database.connection import Connection
from pycomfy.adapters.database.indexing import Place, apply
from pycomfy.adapters.database.records import (
    Build,
    ImageRecord,
    IndexedImage,
    Run,
    RunRecord,
    VersionEntry,
    VersionRecord,
)
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import NotFound

if TYPE_CHECKING:
    from pycomfy.core.lockfile.platforms import PlatformName

# The newest image of each tree is that of every version with it: equal trees have equal images. One platform speaks
# for all, so that building for another does not change what a version is called by.
_VERSIONS = (
    "WITH newest AS (SELECT o.tree_id, i.manifest_digest, i.size_bytes,"
    " max(b.id + (i.platform = 'linux/amd64') * 1000000000000) FROM container_images i"
    " JOIN workflow_versions o ON o.id = i.version_id JOIN builds b ON b.image_id = i.id GROUP BY o.tree_id)"
    " SELECT w.name, v.*, newest.manifest_digest, newest.size_bytes FROM workflow_versions v"
    " JOIN workflows w ON w.id = v.workflow_id LEFT JOIN newest ON newest.tree_id = v.tree_id"
    " WHERE ?1 IS NULL OR w.name = ?1 ORDER BY v.created_at DESC, v.number DESC, w.name"
)


def database_path(paths: Paths) -> Path:
    return paths.data / "pycomfy.db"


class Database(Connection):
    """The record, at `path`. Use it as a context manager, in one thread.

    Every method raises `NoSpace` for a full disk, and `BadInput` for a file that is no record, or a newer one.
    """

    # — versions —

    def commits(self) -> dict[str, dict[int, str]]:
        """The commit of every version, by workflow and number; "" for one that was recorded without."""
        found: dict[str, dict[int, str]] = {}
        for row in self.all(
            "SELECT w.name, v.number, v.commit_id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
        ):
            found.setdefault(row["name"], {})[row["number"]] = row["commit_id"] or ""
        return found

    def index(
        self, stale: Sequence[Place], entries: Iterable[VersionEntry], images: Iterable[IndexedImage] = ()
    ) -> None:
        """Remove the `stale` versions, and add what the library has: `entries`, and `images` of known trees."""
        with self.writing():
            apply(self, stale, entries, images)

    def forget_commits(self) -> None:
        """Have every version recorded anew by whoever indexes next; images, builds and runs stay by their trees."""
        with self.writing():
            self.change("UPDATE workflow_versions SET commit_id = NULL")

    def versions(self, name: str | None = None) -> list[VersionRecord]:
        """Every version, or those of one workflow, newest first."""
        rows = self.all(_VERSIONS, name)
        return [_version(row) for row in rows]

    def names(self) -> list[str]:
        """Every workflow's name, sorted."""
        return [row["name"] for row in self.all("SELECT name FROM workflows ORDER BY name")]

    # — images —

    def record_build(self, build: Build) -> int:
        """Record a build of a version that is indexed; its id. Raises `NotFound` for one that is not."""
        with self.writing():
            version = self.one(
                "SELECT v.id, v.tree_id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
                " WHERE w.name = ? AND v.number = ?",
                build.name,
                build.version,
            )
            if version is None:
                fix = "run `pycomfy reindex`, and build again"
                raise NotFound(f"no version {build.name}@{build.version}", where=str(self.path), fix=fix)
            apply(self, (), (), [IndexedImage(version["tree_id"], build.built, str(build.layout))])
            return self._add_build(build, version["tree_id"])

    def find_image(
        self, name: str, version: int | None = None, platform: "PlatformName | None" = None
    ) -> ImageRecord | None:
        """The image built last for that version, or for the newest version that has one."""
        row = self.one(
            "SELECT i.*, v.number, w.name FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
            " JOIN workflow_versions o ON o.tree_id = v.tree_id JOIN container_images i ON i.version_id = o.id"
            " LEFT JOIN (SELECT image_id, max(id) AS last FROM builds GROUP BY image_id) b ON b.image_id = i.id"
            " WHERE w.name = ?1 AND (?2 IS NULL OR v.number = ?2) AND (?3 IS NULL OR i.platform = ?3)"
            " ORDER BY v.number DESC, b.last DESC, i.id DESC LIMIT 1",
            name,
            version,
            platform,
        )
        return None if row is None else _image(row)

    def image_keys(self) -> set[tuple[str, str, str]]:
        """Tree, platform and manifest digest of every image."""
        rows = self.all(
            "SELECT v.tree_id, i.platform, i.manifest_digest FROM container_images i"
            " JOIN workflow_versions v ON v.id = i.version_id"
        )
        return {(row["tree_id"], row["platform"], row["manifest_digest"]) for row in rows}

    def trees(self) -> set[str]:
        """The tree of every version."""
        return {row["tree_id"] for row in self.all("SELECT DISTINCT tree_id FROM workflow_versions")}

    # — runs —

    def record_run(self, image: ImageRecord, run: Run) -> int:
        """Record a run of `image`; its id."""
        with self.writing():
            return self.insert(
                "runs",
                image_id=image.id,
                started_at=_now(),
                seconds=run.seconds,
                engine=run.engine,
                gpus=run.gpus,
                outputs=json.dumps([dict(o) for o in run.outputs]),
                error=run.error,
                inputs=json.dumps(dict(run.inputs), ensure_ascii=False),
            )

    def runs(self, name: str | None = None) -> list[RunRecord]:
        """Every run, or those of one workflow, newest first."""
        rows = self.all(
            "SELECT r.*, w.name, v.number FROM runs r JOIN container_images i ON i.id = r.image_id"
            " JOIN workflow_versions v ON v.id = i.version_id JOIN workflows w ON w.id = v.workflow_id"
            " WHERE ?1 IS NULL OR w.name = ?1 ORDER BY r.id DESC",
            name,
        )
        return [_run(row) for row in rows]

    def _add_build(self, build: Build, tree: str) -> int:
        """The row of a build, with what only this machine knows. It may be there, if the library told of it first."""
        built, log = build.built, None if build.log is None else str(build.log)
        image = self.one(
            "SELECT i.id, i.version_id FROM container_images i JOIN workflow_versions v ON v.id = i.version_id"
            " WHERE v.tree_id = ? AND i.platform = ? AND i.manifest_digest = ?",
            tree,
            built.platform,
            built.manifest_digest,
        )
        assert image is not None  # noqa: S101  (it was added just now)
        # The same image may lie elsewhere by now: another store, another build.
        self.change(
            "UPDATE container_images SET layout = ?, build_logs = coalesce(?, build_logs) WHERE id = ?",
            str(build.layout),
            log,
            image["id"],
        )
        known = self.one(
            "SELECT id FROM builds WHERE image_id = ? AND finished_at = ? AND log IS NULL", image["id"], built.built_at
        )
        if known is not None:
            self.change("UPDATE builds SET log = ? WHERE id = ?", log, known["id"])
            return int(known["id"])
        return self.insert(
            "builds",
            version_id=image["version_id"],
            image_id=image["id"],
            finished_at=built.built_at,
            seconds=built.seconds,
            layers_built=built.layers_built,
            layers_reused=built.layers_reused,
            log=log,
        )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
        commit=row["commit_id"] or "",
        parent=row["parent_id"],
        message=row["message"] or "",
        changes=tuple(json.loads(row["changes"] or "[]")),
        created_by=row["created_by"] or "",
        created_at=row["created_at"],
        comfyui_version=row["comfyui_version"],
        lock_sha256=row["lock_sha256"],
        manifest_digest=row["manifest_digest"],
        size=row["size_bytes"],
    )


def _run(row: Mapping[str, Any]) -> RunRecord:
    outputs = tuple(json.loads(row["outputs"]))
    run = Run(row["engine"], row["gpus"], row["seconds"], outputs, row["error"], json.loads(row["inputs"]))
    return RunRecord(row["id"], row["name"], row["number"], row["started_at"], run)
