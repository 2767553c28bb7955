"""The record's rows for the versions of the library: added, moved along with a branch, removed."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pycomfy.adapters.database.connection import Connection
from pycomfy.adapters.database.records import IndexedImage, VersionEntry

if TYPE_CHECKING:
    from pycomfy.core.versions.built_image import BuiltImage

JOBS = ("POST", "/v1/jobs")
"""Where a served image takes its inputs."""

Place = tuple[str, int]
"""A workflow's name, and a version's number."""


def apply(
    connection: Connection, stale: Sequence[Place], entries: Iterable[VersionEntry], images: Iterable[IndexedImage]
) -> None:
    """Remove the `stale` versions, add `entries` and `images`. Images, builds and runs of a removed version go to
    another one with the same tree, if there is one. Runs within a transaction."""
    gone = [_find(connection, place) for place in stale]
    for id_ in gone:
        # Out of the way of the number's new holder.
        connection.change("UPDATE workflow_versions SET number = -id WHERE id = ?", id_)
    for entry in entries:
        _add_version(connection, entry)
    for id_ in gone:
        _remove_version(connection, id_)
    for image in images:
        _add_image(connection, image)
    if gone:
        connection.change("DELETE FROM workflows WHERE id NOT IN (SELECT workflow_id FROM workflow_versions)")
        connection.change("DELETE FROM sources WHERE id NOT IN (SELECT source_id FROM version_sources)")


def _find(connection: Connection, place: Place) -> int:
    row = connection.one(
        "SELECT v.id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id"
        " WHERE w.name = ? AND v.number = ?",
        *place,
    )
    return int(row["id"]) if row is not None else 0


def _add_version(connection: Connection, entry: VersionEntry) -> None:
    from pycomfy.adapters.database.source_rows import list_sources, pack_row  # which load all that a lock is

    version = connection.insert(
        "workflow_versions",
        workflow_id=_workflow(connection, entry),
        number=entry.number,
        commit_id=entry.commit,
        parent_id=entry.parent,
        changes=json.dumps(list(entry.changes), ensure_ascii=False),
        message=entry.message,
        comfyui_version=entry.lock.comfyui.version,
        lock_sha256=entry.lock_sha256,
        workflow_sha256=entry.lock.workflow.sha256,
        tree_id=entry.tree,
        created_at=entry.created_at,
        created_by=entry.author,
    )
    for pack in entry.lock.packs:
        url, commit, source_hash = pack_row(pack)
        connection.insert(
            "custom_nodes",
            version_id=version,
            name=pack.name,
            repository_url=url,
            commit_hash=commit,
            source_hash=source_hash,
            node_mappings=json.dumps(sorted(pack.types)),
            python_dependencies="[]",
            verified_compatible=None,
        )
    sources = list_sources(entry.lock)
    connection.change_many(
        "INSERT OR IGNORE INTO sources (role, name, kind, url, hash, size) VALUES (?, ?, ?, ?, ?, ?)",
        [(s.role, s.name, s.kind, s.url, s.hash, s.size) for s in sources],
    )
    connection.change_many(
        "INSERT OR IGNORE INTO version_sources (version_id, source_id, platform)"
        " SELECT ?, id, ? FROM sources WHERE hash = ? AND role = ? AND name = ? AND url = ?",
        [(version, s.platform, s.hash, s.role, s.name, s.url) for s in sources],
    )
    if entry.inputs_schema is not None:
        method, path = JOBS
        connection.insert("api_endpoints", version_id=version, method=method, path=path, schema=entry.inputs_schema)


def _workflow(connection: Connection, entry: VersionEntry) -> int:
    row = connection.one("SELECT id FROM workflows WHERE name = ?", entry.name)
    if row is not None:
        return int(row["id"])
    return connection.insert("workflows", name=entry.name, created_at=entry.created_at)


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


def _add_image(connection: Connection, image: IndexedImage) -> None:
    """Add an image to the first version with its tree, if none has it; say what it proved of all of them."""
    built = image.built
    _add_proof(connection, image.tree, built)
    known = connection.one(
        "SELECT i.id FROM container_images i JOIN workflow_versions v ON v.id = i.version_id"
        " WHERE v.tree_id = ? AND i.platform = ? AND i.manifest_digest = ?",
        image.tree,
        built.platform,
        built.manifest_digest,
    )
    version = connection.one("SELECT id FROM workflow_versions WHERE tree_id = ? ORDER BY id LIMIT 1", image.tree)
    if known is not None or version is None:
        return
    id_ = connection.insert(
        "container_images",
        version_id=version["id"],
        platform=built.platform,
        architectures=json.dumps([built.platform.partition("/")[2]]),
        layout=image.layout,
        size_bytes=built.size,
        manifest_digest=built.manifest_digest,
        config_digest=built.config_digest,
        diff_ids=json.dumps(list(built.diff_ids)),
        build_logs=None,
        created_at=built.built_at,
    )
    connection.insert(
        "builds",
        version_id=version["id"],
        image_id=id_,
        finished_at=built.built_at,
        seconds=built.seconds,
        layers_built=built.layers_built,
        layers_reused=built.layers_reused,
        log=None,
    )


def _add_proof(connection: Connection, tree: str, built: "BuiltImage") -> None:
    if built.compatible:
        connection.change_many(
            "UPDATE custom_nodes SET verified_compatible = ? WHERE name = ?"
            " AND version_id IN (SELECT id FROM workflow_versions WHERE tree_id = ?)",
            [(works, name, tree) for name, works in built.compatible.items()],
        )
    elif built.proven is not None:
        connection.change(
            "UPDATE custom_nodes SET verified_compatible = max(coalesce(verified_compatible, 0), ?)"
            " WHERE version_id IN (SELECT id FROM workflow_versions WHERE tree_id = ?)",
            built.proven,
            tree,
        )
    connection.change_many(
        "UPDATE custom_nodes SET python_dependencies = ? WHERE name = ?"
        " AND version_id IN (SELECT id FROM workflow_versions WHERE tree_id = ?)",
        [(json.dumps(list(wants)), name, tree) for name, wants in built.requirements.items()],
    )
