"""Write the rows of versions, images and builds. Everything here runs within a transaction of the caller's."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pycomfy.adapters.database.connection import Connection
from pycomfy.adapters.database.entries import Build, IndexedImage, VersionEntry, VersionKey
from pycomfy.adapters.database.source_rows import SourceRow, list_sources, pack_row
from pycomfy.core.versions.built_image import BuiltImage

JOBS = ("POST", "/v1/jobs")
"""Where a served image takes its inputs."""

_IN_COLUMNS = {"platform", "manifest_digest", "config_digest", "diff_ids", "size"}

SourceIds = dict[tuple[str, str, str, str], int]
"""The id of each source that was looked up in this transaction: a thousand versions share nearly all of theirs."""


def apply(
    connection: Connection,
    stale: Sequence[VersionKey],
    entries: Iterable[VersionEntry],
    images: Iterable[IndexedImage],
) -> None:
    """Remove the `stale` versions, add `entries`, each in the place of what has its number, and `images`. Images,
    builds and runs of a removed version go to another one with the same tree, if there is one."""
    gone = [id_ for key in stale if (id_ := _take_number(connection, key))]
    sources: SourceIds = {}
    for entry in entries:
        if id_ := _take_number(connection, (entry.name, entry.number)):
            gone.append(id_)
        _add_version(connection, entry, sources)
    for id_ in gone:
        _remove_version(connection, id_)
    for image in images:
        _add_image(connection, image)
    if gone:
        connection.change("DELETE FROM workflows WHERE id NOT IN (SELECT workflow_id FROM workflow_versions)")
        connection.change("DELETE FROM sources WHERE id NOT IN (SELECT source_id FROM version_sources)")


def add_build(connection: Connection, build: Build, tree: str) -> int:
    """Add a build of a version with that tree, and what only this machine knows of its image; return the build's id.
    Both rows may be there, if the versions repository had the image first."""
    built, log = build.built, None if build.log is None else str(build.log)
    _add_image(connection, IndexedImage(tree, built, str(build.layout)))
    image = _find_image(connection, tree, built)
    assert image is not None  # noqa: S101  (it was added just now)
    id_, version = image
    # The same image may lie elsewhere by now: another store, another build.
    connection.change(
        "UPDATE container_images SET layout = ?, build_logs = coalesce(?, build_logs) WHERE id = ?",
        str(build.layout),
        log,
        id_,
    )
    known = connection.one(
        "SELECT id FROM builds WHERE image_id = ? AND finished_at = ? AND log IS NULL", id_, built.built_at
    )
    if known is None:
        return _add_build_row(connection, version, id_, built, build.log)
    connection.change("UPDATE builds SET log = ? WHERE id = ?", log, known["id"])
    return int(known["id"])


def _take_number(connection: Connection, key: VersionKey) -> int:
    """Make way for the number's new holder; return the id of the old one, 0 if there is none."""
    row = connection.one(
        "SELECT v.id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
        " WHERE w.name = ? AND v.number = ?",
        *key,
    )
    id_ = int(row["id"]) if row is not None else 0
    connection.change("UPDATE workflow_versions SET number = -id WHERE id = ?", id_)
    return id_


def _add_version(connection: Connection, entry: VersionEntry, sources: SourceIds) -> None:
    lock = entry.lock
    workflow = connection.table("workflows").lookup({"name": entry.name}, {"created_at": entry.created_at})
    id_ = connection.insert(
        "workflow_versions",
        {
            "workflow_id": workflow,
            "number": entry.number,
            "commit_id": entry.commit,
            "parent_id": entry.parent,
            "changes": json.dumps(list(entry.changes), ensure_ascii=False),
            "message": entry.message,
            "comfyui_version": lock.comfyui.version if lock is not None else "",
            "lock_sha256": entry.lock_sha256,
            "workflow_sha256": lock.workflow.sha256 if lock is not None else "",
            "tree_id": entry.tree,
            "created_at": entry.created_at,
            "created_by": entry.author,
            "problem": entry.problem,
        },
    )
    if lock is None:
        return
    connection.table("custom_nodes").insert_all({"version_id": id_, **pack_row(pack)} for pack in lock.packs)
    connection.table("version_sources").insert_all(
        (
            {"version_id": id_, "source_id": _find_source(connection, source, sources), "platform": source.platform}
            for source in list_sources(lock)
        ),
        ignore=True,
    )
    if entry.inputs_schema is not None:
        method, path = JOBS
        connection.insert(
            "api_endpoints", {"version_id": id_, "method": method, "path": path, "schema": entry.inputs_schema}
        )


def _find_source(connection: Connection, source: SourceRow, known: SourceIds) -> int:
    key = (source.hash, source.role, source.name, source.url)
    if key not in known:
        names = {"hash": source.hash, "role": source.role, "name": source.name, "url": source.url}
        known[key] = connection.table("sources").lookup(names, {"kind": source.kind, "size": source.size})
    return known[key]


def _remove_version(connection: Connection, id_: int) -> None:
    other = connection.one(
        "SELECT o.id FROM workflow_versions o JOIN workflow_versions v ON v.tree_id = o.tree_id"
        " WHERE v.id = ? AND o.number > 0 ORDER BY o.id LIMIT 1",
        id_,
    )
    if other is not None:
        # A version has an image once; where the other one has it as well, this one's goes.
        connection.change("UPDATE OR IGNORE container_images SET version_id = ? WHERE version_id = ?", other["id"], id_)
        connection.change(
            "UPDATE builds SET version_id = ?1 WHERE version_id = ?2"
            " AND image_id IN (SELECT id FROM container_images WHERE version_id = ?1)",
            other["id"],
            id_,
        )
    connection.change("DELETE FROM workflow_versions WHERE id = ?", id_)


def _find_image(connection: Connection, tree: str, built: BuiltImage) -> tuple[int, int] | None:
    """Return the ids of an image and of its version."""
    row = connection.one(
        "SELECT i.id, i.version_id FROM container_images i JOIN workflow_versions v ON v.id = i.version_id"
        " WHERE v.tree_id = ? AND i.platform = ? AND i.manifest_digest = ?",
        tree,
        built.platform,
        built.manifest_digest,
    )
    return None if row is None else (row["id"], row["version_id"])


def _add_image(connection: Connection, image: IndexedImage) -> None:
    """Add an image to the first version with its tree, if none has it; write what it proved to all of them."""
    built = image.built
    _add_verification(connection, image.tree, built)
    version = connection.one("SELECT id FROM workflow_versions WHERE tree_id = ? ORDER BY id LIMIT 1", image.tree)
    description = built.model_dump_json(exclude=_IN_COLUMNS)
    if (known := _find_image(connection, image.tree, built)) is not None:
        connection.change("UPDATE container_images SET description = ? WHERE id = ?", description, known[0])
    if version is None or known is not None:
        return
    id_ = connection.insert(
        "container_images",
        {
            "version_id": version["id"],
            "platform": built.platform,
            "architectures": json.dumps([built.platform.partition("/")[2]]),
            "layout": image.layout,
            "size_bytes": built.size,
            "manifest_digest": built.manifest_digest,
            "config_digest": built.config_digest,
            "diff_ids": json.dumps(list(built.diff_ids)),
            "created_at": built.built_at,
            "description": description,
        },
    )
    _add_build_row(connection, version["id"], id_, built, None)


def _add_build_row(connection: Connection, version: int, image: int, built: BuiltImage, log: Path | None) -> int:
    return connection.insert(
        "builds",
        {
            "version_id": version,
            "image_id": image,
            "finished_at": built.built_at,
            "seconds": built.seconds,
            "layers_built": built.layers_built,
            "layers_reused": built.layers_reused,
            "log": None if log is None else str(log),
        },
    )


def _add_verification(connection: Connection, tree: str, built: BuiltImage) -> None:
    """Write whether the node packs of all versions with that tree work, and what they require of Python."""
    for name, works in built.compatible.items():
        connection.change(
            "UPDATE custom_nodes SET verified_compatible = ? WHERE name = ?"
            " AND version_id IN (SELECT id FROM workflow_versions WHERE tree_id = ?)",
            works,
            name,
            tree,
        )
    if not built.compatible and built.proven is not None:
        connection.change(
            "UPDATE custom_nodes SET verified_compatible = max(coalesce(verified_compatible, 0), ?)"
            " WHERE version_id IN (SELECT id FROM workflow_versions WHERE tree_id = ?)",
            built.proven,
            tree,
        )
    for name, requirements in built.requirements.items():
        connection.change(
            "UPDATE custom_nodes SET python_dependencies = ? WHERE name = ?"
            " AND version_id IN (SELECT id FROM workflow_versions WHERE tree_id = ?)",
            json.dumps(list(requirements)),
            name,
            tree,
        )
