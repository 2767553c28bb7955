"""`gc`: free what may go. What a version is restored from stays, and what runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.containers.loaded_images import LoadedImage, list_loaded, list_used, remove_loaded
from pycomfy.adapters.io.folder_sizes import measure
from pycomfy.adapters.io.temp_dirs import remove_folder
from pycomfy.adapters.nix.store import delete_paths
from pycomfy.adapters.nix.usage import list_live, read_sizes
from pycomfy.core.nix.lock_outputs import Requisite
from pycomfy.errors import MissingTool, raise_all
from pycomfy.services.archive.archive import collect_garbage
from pycomfy.services.archive.archived_sources import drop_archived, find_kept_twice
from pycomfy.services.archive.completeness import VersionRequisites, list_missing, list_version_requisites
from pycomfy.services.disk.layers import (
    BUILDERS,
    ImageLink,
    find_dead,
    find_used,
    list_links,
    list_our_paths,
    read_image_versions,
)
from pycomfy.services.results import Result
from pycomfy.services.studio.uploads import find_unused_uploads
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace

_IN_USE = ("projects", "dry-runs")
"""Folders of the cache in which others may be working; they remove what was left there."""

Freed = Literal["layers", "sources", "archive", "uploads", "cache", "engine"]


@dataclass(frozen=True)
class GcRequest:
    """What goes besides what nothing needs: with `keep` the layers of all but that many newest versions of each
    workflow, with `older_than` those of versions that were made before so many days; `caches`, and images `loaded` into
    the engine."""

    keep: int | None = None
    older_than: int | None = None
    caches: bool = False
    loaded: bool = False

    @property
    def releases(self) -> bool:
        """Whether layers of recorded versions may go."""
        return self.keep is not None or self.older_than is not None


@dataclass(frozen=True)
class FreedItem:
    """Something that goes, or went: how many files, folders or images, and their bytes."""

    kind: Freed
    title: str
    count: int
    size: int


class GcResult(Result):
    """What was freed, or in a dry run would be; `size` in bytes. `kept` are versions whose layers were to go, and stay,
    as the archive has not all that they are made of."""

    items: tuple[FreedItem, ...]
    size: int
    kept: tuple[str, ...]
    dry_run: bool


@dataclass(frozen=True)
class _Step:
    """An item of the plan, and what frees it and returns how many went, with their bytes."""

    item: FreedItem
    free: Callable[[], tuple[int, int]]


@dataclass(frozen=True)
class GcPlan:
    """What can be freed; nothing is until `apply` is called."""

    steps: tuple[_Step, ...]
    kept: tuple[str, ...]

    def describe(self) -> GcResult:
        """Return what would be freed."""
        return self._result([step.item for step in self.steps], dry=True)

    def apply(self) -> GcResult:
        """Free it, and return what is gone. What was taken into use meanwhile stays."""
        done = []
        for step in self.steps:
            count, size = step.free()
            if count:
                done.append(FreedItem(step.item.kind, step.item.title, count, size))
        return self._result(done, dry=False)

    def _result(self, items: Sequence[FreedItem], *, dry: bool) -> GcResult:
        return GcResult(items=tuple(items), size=sum(i.size for i in items), kept=self.kept, dry_run=dry)


def end_reserve(workspace: Workspace) -> int:
    """End the ComfyUIs that wait for the next build, whose containers keep layers; return how many there were."""
    return workspace.reserve.end_all()


def plan_gc(workspace: Workspace, request: GcRequest) -> GcPlan:
    """Find what may go. Raises what `index` finds that cannot be read: nobody knows what it needs."""
    raise_all([*index(workspace).problems.values()])
    needed = list_version_requisites(workspace)
    released, kept = _choose_released(workspace, request, needed)
    steps = [
        *_plan_layers(workspace, released),
        *_plan_sources(workspace, needed),
        *_plan_archive(workspace),
        *_plan_uploads(workspace),
        *(_plan_caches(workspace) if request.caches else ()),
        *(_plan_loaded(workspace) if request.loaded else ()),
    ]
    return GcPlan(tuple(step for step in steps if step.item.count), kept)


def _choose_released(
    workspace: Workspace, request: GcRequest, needed: Sequence[VersionRequisites]
) -> tuple[list[ImageLink], tuple[str, ...]]:
    """Return the links of images that no version has, and of those whose layers are to go; and the versions of which
    they stay all the same."""
    rows = read_image_versions(workspace)
    links, known = list_links(workspace), {row.manifest_digest for row in rows}
    orphans = [link for link in links if link.digest not in known]
    if not request.releases:
        return orphans, ()
    limit = None if request.older_than is None else workspace.clock() - timedelta(days=request.older_than)
    seen: dict[str, set[int]] = {}
    wanted: set[str] = set()
    labels: dict[str, list[str]] = {}
    for row in rows:  # the newest of each workflow first
        newer = seen.setdefault(row.name, set())
        newer.add(row.version)
        old = limit is not None and datetime.fromisoformat(row.created_at) < limit
        superseded = request.keep is not None and len(newer) > request.keep
        if not (old if request.keep is None else superseded if limit is None else old and superseded):
            wanted.add(row.manifest_digest)
        labels.setdefault(row.manifest_digest, []).append(f"{row.name}@{row.version}")
    used = find_used(workspace)
    wanted |= {row.manifest_digest for row in rows if row.config_digest.removeprefix("sha256:") in used}
    incomplete = {label for m in list_missing(workspace.archive.has, needed) for label in m.versions}
    to_go = [link for link in links if link.digest in known - wanted]
    lacking = [link for link in to_go if incomplete.intersection(labels[link.digest])]
    kept = sorted(label for link in lacking for label in labels[link.digest])
    return [*orphans, *(link for link in to_go if link not in lacking)], tuple(kept)


def _plan_layers(workspace: Workspace, released: Sequence[ImageLink]) -> Iterator[_Step]:
    dead = find_dead(workspace, list_our_paths(workspace), released)
    sizes = read_sizes(workspace.nix, dead)

    def free() -> tuple[int, int]:
        for image in released:
            image.link.unlink(missing_ok=True)
        # A container may have started meanwhile.
        gone = delete_paths(workspace.nix, find_dead(workspace, sorted(sizes)))
        return len(gone), sum(sizes[path] for path in gone)

    item = FreedItem("layers", "layers and images that nothing keeps", len(sizes), sum(sizes.values()))
    if sizes or released:
        yield _Step(item, free)


def _plan_sources(workspace: Workspace, needed: Sequence[VersionRequisites]) -> Iterator[_Step]:
    every = {
        r.path: r for one in needed for r in (*one.requisites, *one.models) if not r.output.name.startswith(BUILDERS)
    }
    twice = find_kept_twice(workspace, every.values())
    live = list_live(workspace.nix) if twice else set()
    free = [requisite for requisite in twice if requisite.path not in live]
    sizes = read_sizes(workspace.nix, [r.path for r in free])

    def drop(requisites: Sequence[Requisite]) -> tuple[int, int]:
        gone = drop_archived(workspace, requisites)
        return len(gone), sum(sizes[r.path] for r in gone)

    item = FreedItem("sources", "sources in the Nix store that the archive has", len(free), sum(sizes.values()))
    yield _Step(item, partial(drop, free))


def _plan_archive(workspace: Workspace) -> Iterator[_Step]:
    if not workspace.versions.bare.exists:
        return
    found = collect_garbage(workspace, dry=True)

    def free() -> tuple[int, int]:
        removed = collect_garbage(workspace)
        return removed.paths, removed.size

    yield _Step(FreedItem("archive", "sources in the archive that no version needs", found.paths, found.size), free)


def _plan_uploads(workspace: Workspace) -> Iterator[_Step]:
    sizes = {path: measure(path) for path in find_unused_uploads(workspace)}

    def free() -> tuple[int, int]:
        unused = [path for path in find_unused_uploads(workspace) if path in sizes]  # one may have been sent again
        for path in unused:
            remove_folder(path)
        gone = [path for path in unused if not path.exists()]
        return len(gone), sum(sizes[path] for path in gone)

    if sizes:
        title = "files given to runs in the studio that no run in the history has"
        yield _Step(FreedItem("uploads", title, len(sizes), sum(sizes.values())), free)


def _plan_caches(workspace: Workspace) -> Iterator[_Step]:
    folder = operation.original(workspace.paths.cache)
    there = sorted(p for p in folder.iterdir() if p.name not in _IN_USE) if folder.is_dir() else []
    sizes = {path: measure(path) for path in there}

    def free(path: Path) -> tuple[int, int]:
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            path.unlink(missing_ok=True)
        return (0, 0) if path.exists() else (1, sizes[path])

    for path in there:
        yield _Step(FreedItem("cache", f"cache: {path.name}", 1, sizes[path]), partial(free, path))


def _plan_loaded(workspace: Workspace) -> Iterator[_Step]:
    try:
        engine = workspace.engine
    except MissingTool:
        return
    used = list_used(engine)

    def free(image: LoadedImage) -> tuple[int, int]:
        return (1, image.size) if remove_loaded(engine, image) else (0, 0)

    for image in list_loaded(engine):
        if image.id not in used:
            title = f"loaded into {engine.kind}: {', '.join(image.names) or image.id[:12]}"
            yield _Step(FreedItem("engine", title, 1, image.size), partial(free, image))
