"""A data folder with versions of a small project, as `pycomfy build` records them, without an engine."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import add_gc_root
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.adapters.versions.version import Version
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.services.archive.archive import fill_version
from pycomfy.services.project import host_platform
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.workspace import Workspace
from tests.support.moments import NOW
from tests.support.nix_projects import WORKFLOW, Workshop
from tests.support.service_projects import describe


@dataclass(frozen=True)
class BuiltVersion:
    version: Version
    image: LayoutImage
    lock: Lock


def build_and_record(
    workshop: Workshop, lock: Lock, paths: Paths, *, platform: PlatformName | None = None, archive: bool = True
) -> BuiltVersion:
    """Build `lock`, for this machine's platform or another, and record it as `pycomfy build` does."""
    platform = platform or host_platform()
    files = project_files(ProjectContent(lock, WORKFLOW, {"1": {}}), read_toolkit())
    project = workshop.project(lock)
    plan = evaluate(workshop.settings, BuildTarget(project, "layout", platform))
    (path,) = build(workshop.settings, plan, workshop.folder / "log", lambda e: None)
    image = read_layout(workshop.settings.local_path(path))
    add_gc_root(workshop.settings, path, layout_link(Workspace(paths), image.manifest_digest))
    versions = VersionsRepository(versions_repository_path(paths))
    version, _ = versions.commit(lock.name, files, created_at=NOW, message=f"with {len(lock.packs)} packs")
    versions.add_image(version.tree, describe(image))
    index(Workspace(paths))
    if archive:
        # Another test's layer may be there, and its sources in that one's archive alone. Other tests remove sources
        # from the store, once they are in theirs.
        sources = evaluate(workshop.settings, BuildTarget(project, "sources", platform))
        for made in build(workshop.settings, sources, workshop.folder / "log", lambda e: None):
            add_gc_root(workshop.settings, made, workshop.folder / "sources" / Path(made).name)
        fill_version(Workspace(paths, workshop.settings), lock, {platform}, find_bootstrap(files))
    return BuiltVersion(version, image, lock)


def share_downloads(cache: Path) -> None:
    """Let a cache of a test have the downloads of this user's cache, and what was computed of them: Debian's packages,
    indices and roots. They are kept between runs of the tests."""
    cache.mkdir(parents=True)
    for name in ("sha256", "debian", "roots"):
        kept = find_paths().cache / name
        kept.mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(kept)


def new_paths(folder: Path) -> Paths:
    return Paths(folder / "home", folder / "home" / "cache")


def other_store(folder: Path) -> NixSettings:
    """An empty store of its own."""
    return NixSettings(store=folder)
