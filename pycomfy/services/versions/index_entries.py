"""What the record says of a version of the library: read from its files, compared with the version before."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from pycomfy import operation
from pycomfy.adapters.database.records import VersionEntry
from pycomfy.adapters.versions.repository import Version, VersionsRepository
from pycomfy.core.interface.json_schema import inputs_schema
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import FILES, Snapshot, read_snapshot
from pycomfy.errors import PycomfyError

_AT_ONCE = 100  # versions read at a time
_MAX_CHANGES = 200  # lines


def list_entries(library: VersionsRepository, versions: Sequence[Version]) -> Iterator[VersionEntry]:
    """The versions with what the record says of them, in the same order. A commit that is no
    project of pycomfy's is told of and left out."""
    left = iter(versions)
    snapshots: dict[str, Snapshot | None] = {}
    while batch := list(islice(left, _AT_ONCE)):
        commits = dict.fromkeys(c for v in batch for c in (*v.parents[:1], v.commit) if c not in snapshots)
        files = library.read_some(list(commits), FILES)
        snapshots |= {c: _snapshot(c, files[c]) for c in commits}
        for version in batch:
            snapshot = snapshots[version.commit]
            if snapshot is not None:
                yield _entry(version, snapshot, snapshots.get(version.parents[0]) if version.parents else None)
        snapshots = {v.commit: snapshots[v.commit] for v in batch}


def _snapshot(commit: str, files: Mapping[str, bytes]) -> Snapshot | None:
    try:
        return read_snapshot(f"commit {commit[:12]}", files)
    except PycomfyError as e:
        operation.report(f"warning: a commit in the library is no project of pycomfy: {e.what} ({e.where})")
        return None


def _entry(version: Version, snapshot: Snapshot, before: Snapshot | None) -> VersionEntry:
    changes = describe_diff(diff(before, snapshot)) if before is not None else []
    return VersionEntry(
        version.name,
        version.number or 0,
        version.commit,
        version.parents[0] if version.parents else None,
        version.tree,
        version.message,
        version.author,
        version.created_at,
        snapshot.lock,
        snapshot.lock_sha256,
        _schema(snapshot),
        tuple(changes[:_MAX_CHANGES]),
    )


def _schema(snapshot: Snapshot) -> str | None:
    """The JSON Schema of the inputs, if there is one: a library may be pulled from anywhere, and an interface that
    makes no sense must not keep the others out of the record."""
    if snapshot.interface is None:
        return None
    try:
        return json.dumps(inputs_schema(snapshot.interface), ensure_ascii=False)
    except Exception:  # noqa: BLE001  (pydantic's own errors are of many kinds, and some are assertions)
        return None
