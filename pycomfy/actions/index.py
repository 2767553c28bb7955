"""The record follows the library: versions that are new are recorded, those that are gone are not any more."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pycomfy.errors import NotFound, PycomfyError
from pycomfy.flow.interface.arguments import inputs_schema
from pycomfy.flow.version.describe import describe
from pycomfy.flow.version.diff import diff
from pycomfy.flow.version.snapshot import FILES, Snapshot, read_snapshot
from pycomfy.outside.home import Home
from pycomfy.outside.library import Library, Version, library_path
from pycomfy.outside.store import IndexedImage, Store, VersionEntry, database_path
from pycomfy.progress import Progress

_AT_ONCE = 100  # versions read at a time
_MOST_CHANGES = 200  # lines


@dataclass(frozen=True)
class Indexed:
    """How many versions were recorded, and how many were forgotten."""

    added: int
    removed: int


def index(home: Home, progress: Progress) -> Indexed:
    """Bring the record up to date with the library. Costs little where nothing changed. A commit that is no project of
    pycomfy's is told of and left out.

    Nobody changes the library meanwhile, so that of two processes the later one never knows less.
    """
    library = Library(library_path(home))
    _check_library(library, home)
    with library.bare.writing(), Store(database_path(home)) as store:
        known = store.commits()
        tips = library.tips()
        new: list[Version] = []
        stale = [(name, number) for name, rows in known.items() if name not in tips for number in rows]
        for name, tip in tips.items():
            rows = known.get(name, {})
            if rows and rows[max(rows)] == tip:
                continue
            versions = {v.number: v for v in library.versions(name) if v.number is not None}
            new += [v for number, v in versions.items() if rows.get(number) != v.commit]
            stale += [(name, n) for n, commit in rows.items() if n not in versions or versions[n].commit != commit]
        new.sort(key=lambda v: (v.created_at, v.number or 0))
        images = _images(home, library, store, {v.tree for v in new})
        if new or stale or images:
            store.index(stale, _entries(library, new, progress), images)
    return Indexed(len(new), len(stale))


def _check_library(library: Library, home: Home) -> None:
    """A library that was deleted, and not by us: then the record is all that is left, and must not follow it."""
    if library.bare.exists or not database_path(home).exists():
        return
    with Store(database_path(home)) as store:
        recorded = [commit for rows in store.commits().values() for commit in rows.values() if commit]
    if recorded:
        fix = f"put it back, or clone it from where it was pushed; to begin anew, remove {database_path(home)}"
        raise NotFound("the library is gone, with the versions that are recorded", where=str(library.path), fix=fix)


def layout_link(home: Home, manifest_digest: str) -> Path:
    """The link that keeps an image's layout from Nix's garbage collector."""
    return home.data / "images" / manifest_digest.replace(":", "-")


def _images(home: Home, library: Library, store: Store, new: set[str]) -> list[IndexedImage]:
    """Images that the record lacks, and those of trees that it is about to have."""
    known, trees = {(tree, platform) for tree, platform, _ in store.image_keys()}, store.trees()
    lacking = {tree for tree, platform in library.image_keys() - known if tree in trees}
    found = []
    for tree, images in library.all_images(lacking | new).items():
        for built in images.values():
            link = layout_link(home, built.manifest_digest)
            layout = link.readlink() if link.is_symlink() else link
            found.append(IndexedImage(tree, built, str(layout)))
    return found


def _entries(library: Library, versions: Sequence[Version], progress: Progress) -> Iterator[VersionEntry]:
    """The versions with what the record says of them, in the same order."""
    left = iter(versions)
    snapshots: dict[str, Snapshot | None] = {}
    while batch := list(islice(left, _AT_ONCE)):
        commits = dict.fromkeys(c for v in batch for c in (*v.parents[:1], v.commit) if c not in snapshots)
        files = library.read_some(list(commits), FILES)
        snapshots |= {c: _snapshot(c, files[c], progress) for c in commits}
        for version in batch:
            snapshot = snapshots[version.commit]
            if snapshot is not None:
                yield _entry(version, snapshot, snapshots.get(version.parents[0]) if version.parents else None)
        snapshots = {v.commit: snapshots[v.commit] for v in batch}


def _snapshot(commit: str, files: Mapping[str, bytes], progress: Progress) -> Snapshot | None:
    try:
        return read_snapshot(f"commit {commit[:12]}", files)
    except PycomfyError as e:
        progress.say(f"warning: a commit in the library is no project of pycomfy: {e.what} ({e.where})")
        return None


def _entry(version: Version, snapshot: Snapshot, before: Snapshot | None) -> VersionEntry:
    changes = describe(diff(before, snapshot)) if before is not None else []
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
        tuple(changes[:_MOST_CHANGES]),
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
