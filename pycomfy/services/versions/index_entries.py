"""Describe versions for the database: read their files, and compare each with the version before."""

import json
from collections.abc import Iterator, Mapping, Sequence

from pycomfy import operation
from pycomfy.adapters.database.entries import VersionEntry
from pycomfy.adapters.versions.repository import MAX_FILE, VersionsRepository
from pycomfy.adapters.versions.version import Version
from pycomfy.core.interface.json_schema import inputs_schema
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import FILES, LOCK, WORKFLOW, Snapshot, read_snapshot
from pycomfy.errors import BadInput, PycomfyError

_BATCH, _BATCH_BYTES = 100, 64 << 20  # versions, and bytes of their files, that are read at a time
_MAX_CHANGES = 200  # lines


def list_entries(repository: VersionsRepository, versions: Sequence[Version]) -> Iterator[VersionEntry]:
    """Describe versions, in the same order; one that cannot be read by its `problem`. A commit that is not a project of
    pycomfy is reported and left out."""
    snapshots: dict[str, Snapshot | PycomfyError | None] = {}
    for batch in repository.batches(versions, FILES, count=_BATCH, size=_BATCH_BYTES):
        commits = dict.fromkeys(c for v in batch for c in (*v.parents[:1], v.commit) if c not in snapshots)
        files = repository.read_some(list(commits), FILES)
        snapshots |= {c: _read_snapshot(repository, c, files[c]) for c in commits}
        for version in batch:
            snapshot = snapshots[version.commit]
            if snapshot is None:
                what = f"a commit of {version.name} in the versions repository is not a project of pycomfy"
                operation.report(f"warning: {what} (commit {version.commit[:12]})")
            else:
                yield _describe(version, snapshot, snapshots.get(version.parents[0]) if version.parents else None)
        snapshots = {v.commit: snapshots[v.commit] for v in batch}


def _read_snapshot(
    repository: VersionsRepository, commit: str, files: Mapping[str, bytes]
) -> Snapshot | PycomfyError | None:
    """Return the files as they are compared, or why that is not possible; None if it is not a project of pycomfy."""
    try:
        if len(files) < len(FILES):
            there = repository.bare.list_names(commit)
            if LOCK not in there or WORKFLOW not in there:
                return None
            if unreadable := sorted(there.intersection(FILES) - files.keys()):
                if max(repository.bare.sizes([f"{commit}:{unreadable[0]}"]).values(), default=0) > MAX_FILE:
                    what = f"{unreadable[0]} has more than {MAX_FILE >> 20} MiB, as no workflow's has"
                    return BadInput(what, where=f"commit {commit[:12]}", fix="remove it")
                return repository.bare.damaged(f"{unreadable[0]} of commit {commit[:12]} cannot be read")
        return read_snapshot(f"commit {commit[:12]}", files)
    except PycomfyError as e:
        return e
    except (ValueError, ArithmeticError, RecursionError) as e:
        return BadInput(f"it makes no sense: {e}", where=f"commit {commit[:12]}", fix="remove it")


def _describe(
    version: Version, snapshot: Snapshot | PycomfyError, before: Snapshot | PycomfyError | None
) -> VersionEntry:
    read, problem = (snapshot, None) if isinstance(snapshot, Snapshot) else (None, snapshot)
    changes = describe_diff(diff(before, read)) if isinstance(before, Snapshot) and read is not None else []
    return VersionEntry(
        name=version.name,
        number=version.number or 0,
        commit=version.commit,
        parent=version.parents[0] if version.parents else None,
        tree=version.tree,
        message=version.message,
        author=version.author,
        created_at=version.created_at,
        lock=read.lock if read is not None else None,
        lock_sha256=read.lock_sha256 if read is not None else "",
        inputs_schema=_make_schema(read) if read is not None else None,
        changes=tuple(changes[:_MAX_CHANGES]),
        problem=None if problem is None else f"{problem.what} ({problem.where})",
        comparable=not isinstance(before, PycomfyError),
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
