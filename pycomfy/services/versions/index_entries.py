"""Describe versions for the database: read their files, and compare each with the version before."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from pycomfy import operation
from pycomfy.adapters.database.entries import VersionEntry
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.adapters.versions.version import Version
from pycomfy.core.interface.json_schema import inputs_schema
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import FILES, Snapshot, read_snapshot
from pycomfy.errors import PycomfyError

_BATCH = 100  # versions that are read at a time
_MAX_CHANGES = 200  # lines


def list_entries(repository: VersionsRepository, versions: Sequence[Version]) -> Iterator[VersionEntry]:
    """Describe versions, in the same order. A commit that is not a project of pycomfy is reported and left out."""
    left = iter(versions)
    snapshots: dict[str, Snapshot | None] = {}
    while batch := list(islice(left, _BATCH)):
        commits = dict.fromkeys(c for v in batch for c in (*v.parents[:1], v.commit) if c not in snapshots)
        files = repository.read_some(list(commits), FILES)
        snapshots |= {c: _read_snapshot(c, files[c]) for c in commits}
        for version in batch:
            snapshot = snapshots[version.commit]
            if snapshot is not None:
                yield _describe(version, snapshot, snapshots.get(version.parents[0]) if version.parents else None)
        snapshots = {v.commit: snapshots[v.commit] for v in batch}


def _read_snapshot(commit: str, files: Mapping[str, bytes]) -> Snapshot | None:
    try:
        return read_snapshot(f"commit {commit[:12]}", files)
    except PycomfyError as e:
        operation.report(
            f"warning: a commit in the versions repository is not a project of pycomfy: {e.what} ({e.where})"
        )
        return None


def _describe(version: Version, snapshot: Snapshot, before: Snapshot | None) -> VersionEntry:
    changes = describe_diff(diff(before, snapshot)) if before is not None else []
    return VersionEntry(
        name=version.name,
        number=version.number or 0,
        commit=version.commit,
        parent=version.parents[0] if version.parents else None,
        tree=version.tree,
        message=version.message,
        author=version.author,
        created_at=version.created_at,
        lock=snapshot.lock,
        lock_sha256=snapshot.lock_sha256,
        inputs_schema=_make_schema(snapshot),
        changes=tuple(changes[:_MAX_CHANGES]),
    )


def _make_schema(snapshot: Snapshot) -> str | None:
    """Return the JSON Schema of the inputs, None without one: versions may be pulled from anywhere, and an interface
    that makes no sense must not keep the others out of the database."""
    if snapshot.interface is None:
        return None
    try:
        return json.dumps(inputs_schema(snapshot.interface), ensure_ascii=False)
    except Exception:  # noqa: BLE001  (pydantic's own errors are of many kinds, and some are assertions)
        return None
