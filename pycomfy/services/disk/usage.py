"""`disk`: what is used for what, and which command frees it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pycomfy.adapters.containers.image_store import find_folder
from pycomfy.adapters.containers.loaded_images import list_loaded
from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.io.folder_sizes import measure
from pycomfy.adapters.nix.usage import list_store, read_sizes
from pycomfy.adapters.versions.repository import versions_repository_path
from pycomfy.core.nix.store_path import split_path
from pycomfy.errors import Fix, PycomfyError, suggest
from pycomfy.services.disk.layers import (
    BUILDERS,
    ImageLink,
    count_own,
    list_links,
    list_our_paths,
    list_parts,
    read_image_versions,
)
from pycomfy.services.results import FixText, Result
from pycomfy.services.workspace import Workspace

Use = Literal[
    "layers", "other-layers", "store-sources", "archive", "models", "cache", "versions", "engine", "outputs", "logs"
]


@dataclass(frozen=True)
class WorkflowLayers:
    """The images of a workflow's versions in the Nix store: how many, the bytes of all their layers together, and of
    those that no other workflow has."""

    name: str
    images: int
    size: int
    own: int


@dataclass(frozen=True)
class DiskUse:
    """Something on the disk: `size` in bytes, None where that is not known. `fixes` say what frees it; without any it
    is needed."""

    use: Use
    title: str
    where: str
    size: int | None
    fixes: FixText = field(default_factory=tuple)  # a default of () would not be the text that the schema says


class DiskUsage(Result):
    """`uses` is all that pycomfy has on the disk, `size` the bytes of it, and `workflows` whose layers it has, the
    largest first."""

    uses: tuple[DiskUse, ...]
    size: int
    workflows: tuple[WorkflowLayers, ...]


_GC = suggest("gc")
_CACHES = {"sha256": "downloads", "git": "mirrors of git repositories", "debian": "Debian's lists"}


def measure_disk(workspace: Workspace) -> DiskUsage:
    """Return what is used for what. Sizes in the Nix store are those that Nix has recorded."""
    links = list_links(workspace)
    parts = {link: list_parts(workspace, link) for link in links}
    ours = set().union(*parts.values())
    others = set(list_our_paths(workspace)) - ours
    archived, wheels = _find_sources(workspace)
    sizes = read_sizes(workspace.nix, ours | others | archived | wheels)

    def total(paths: set[str]) -> int:
        return sum(sizes.get(path, 0) for path in paths)

    store = str(workspace.nix.local_path("/nix/store"))
    keep_less = (suggest("gc", "the layers of older versions", keep=1),)
    uses = [
        DiskUse("layers", "layers of versions' images", store, total(ours), keep_less if ours else ()),
        DiskUse(
            "other-layers",
            "layers of removed versions, or of others' data",
            store,
            total(others),
            _if(others),
        ),
        DiskUse("store-sources", "sources that the archive has, too", store, total(archived), _if(archived)),
        DiskUse("store-sources", "wheels that the archive lacks", store, total(wheels)),
        *_measure_folders(workspace),
        *_measure_engine(workspace),
    ]
    shown = tuple(use for use in uses if use.size != 0)
    return DiskUsage(
        uses=shown, size=sum(use.size or 0 for use in shown), workflows=_list_workflows(workspace, parts, sizes)
    )


def _if(present: object, fix: Fix = _GC) -> tuple[Fix, ...]:
    return (fix,) if present else ()


def _find_sources(workspace: Workspace) -> tuple[set[str], set[str]]:
    """Return the paths in the Nix store that the archive has, too, and the wheels there that it lacks."""
    known = {path.stem for path in workspace.archive.narinfos()}
    store = list_store(workspace.nix)
    paths = ((path, *split_path(path)) for path in store)
    archived = {path for path, digest, name in paths if digest in known and not name.startswith(BUILDERS)}
    return archived, {path for path in store if path.endswith(".whl")} - archived


def _measure_folders(workspace: Workspace) -> Iterator[DiskUse]:
    paths, archive = workspace.paths, workspace.archive
    data, cache = paths.data, paths.cache
    size, fix = archive.size(), suggest("gc", "what no version needs")
    yield DiskUse("archive", "archive of sources", str(archive.folder), size, _if(size, fix))
    yield DiskUse("models", "models", str(workspace.models.folder), measure(workspace.models.folder))
    caches = suggest("gc", caches=True)
    for folder, title in _CACHES.items():
        yield DiskUse("cache", f"cache: {title}", str(cache / folder), measure(cache / folder), (caches,))
    rest = sum(measure(path) for path in _children(cache) if path.name not in _CACHES)
    yield DiskUse("cache", "cache: all else", str(cache), rest, (caches,))
    repository = versions_repository_path(paths)
    yield DiskUse("versions", "versions repository", str(repository), measure(repository))
    database = database_path(paths)
    files = sum(measure(p) for p in _children(data) if p.name.startswith(database.name))
    yield DiskUse("versions", "database", str(database), files)
    uploads = (suggest("gc", "what no run in the history has"),)
    yield DiskUse("outputs", "outputs that could not be saved", str(paths.unsaved), measure(paths.unsaved))
    yield DiskUse("outputs", "jobs that run, or were interrupted", str(paths.jobs), measure(paths.jobs))
    yield DiskUse("outputs", "jobs and files of served versions", str(paths.served), measure(paths.served))
    yield DiskUse("outputs", "files given to runs in the studio", str(paths.uploads), measure(paths.uploads), uploads)
    yield DiskUse("outputs", "operations of the studio", str(paths.operations), measure(paths.operations))
    yield DiskUse("logs", "logs", str(data / "logs"), measure(data / "logs"))


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _measure_engine(workspace: Workspace) -> Iterator[DiskUse]:
    """What is in the engine; where it does not answer, its size is not known."""
    try:
        engine = workspace.engine
        loaded = list_loaded(engine)
    except PycomfyError:
        return
    size = sum(image.size for image in loaded)
    yield DiskUse(
        "engine", f"images loaded into {engine.kind}", engine.kind, size, _if(loaded, suggest("gc", loaded=True))
    )
    if engine.links_images:
        yield DiskUse("engine", f"stores of links for {engine.kind}", str(find_folder()), measure(find_folder()))


def _list_workflows(
    workspace: Workspace, parts: dict[ImageLink, frozenset[str]], sizes: dict[str, int]
) -> tuple[WorkflowLayers, ...]:
    by_digest = {link.digest: paths for link, paths in parts.items() if paths}
    owned: dict[str, set[str]] = {}
    images: dict[str, set[str]] = {}
    for row in read_image_versions(workspace):
        if row.manifest_digest in by_digest:
            owned.setdefault(row.name, set()).update(by_digest[row.manifest_digest])
            images.setdefault(row.name, set()).add(row.manifest_digest)
    own = count_own(owned, sizes)
    found = [
        WorkflowLayers(name, len(images[name]), sum(sizes.get(path, 0) for path in paths), own[name])
        for name, paths in owned.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.own, one.name)))
