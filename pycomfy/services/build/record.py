"""Record what was built: the project as a version, its image beside it, its sources in the archive."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.database.entries import Build
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.nix.store import add_gc_root
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.adapters.versions.version import Version
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE
from pycomfy.core.nix.bootstrap import Bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, list_requisites
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import summarise
from pycomfy.core.versions.snapshot import FILES, read_snapshot
from pycomfy.core.versions.verification import Verification
from pycomfy.errors import NotFound, PycomfyError, suggest, suggest_retry
from pycomfy.services.archive.archived_sources import drop_archived, filter_files, find_kept_twice
from pycomfy.services.archive.fill import FillResult, fill_requisites
from pycomfy.services.build.pack_requirements import read_pack_requirements
from pycomfy.services.project import host_platform
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class FinishedBuild:
    """What there is to record: the project's `files`, the OCI layout that was built for `platform`, the number of its
    layers that were built, the verification if there was one, the user's message if they gave one, the time since the
    build began, and its log."""

    lock: Lock
    files: dict[str, bytes]
    oci: Path
    platform: PlatformName
    layers_built: int
    verification: Verification | None
    message: str | None
    seconds: float
    log: Path


@dataclass(frozen=True)
class RecordedBuild:
    """The version, whether it is `new`, and its image; whether that is the `first` of its platform."""

    version: Version
    new: bool
    first: bool
    image: LayoutImage
    built: BuiltImage


def record_build(workspace: Workspace, build: FinishedBuild) -> RecordedBuild:
    """Record the project as a version, with its image. What Nix built is protected from its garbage collector first.
    What an interrupted call did not record, the next build does."""
    image = read_layout(build.oci)
    add_gc_root(workspace.nix, str(build.oci), layout_link(workspace, image.manifest_digest))
    versions = workspace.versions
    problem = index(workspace).problems.get(build.lock.name)
    if problem is not None:
        raise problem  # a first version in the place of those that cannot be read would make them forgotten
    message = build.message or _summarise(versions, build.lock.name, build.files)
    version, new = versions.commit(
        build.lock.name, build.files, message=message, created_at=workspace.clock(), besides=(CONFIG_FILE,)
    )
    built = _describe(workspace, build, image)
    first = build.platform not in versions.images(version.tree)
    versions.add_image(version.tree, built)
    index(workspace)
    with workspace.open_database() as database:
        database.record_build(Build(version.name, version.number or 0, built, image.layout, build.log))
    return RecordedBuild(version, new, first, image, built)


@dataclass(frozen=True)
class SourceKeeping:
    """Where the sources of a build are kept: in the archive, and with `both` in the Nix store, too. `bootstrap` is the
    project's; `taken` are the store paths that came from the archive, and are whole there. `fetch_again` puts into the
    Nix store what neither has."""

    platform: PlatformName
    bootstrap: Bootstrap | None
    fetch_again: Callable[[], object]
    taken: frozenset[str] = frozenset()
    both: bool = False


def archive_sources(workspace: Workspace, lock: Lock, keeping: SourceKeeping) -> bool:
    """Archive all sources of a build, and return whether they are all in the archive now. Failures are warnings: the
    version is built and recorded already."""
    requisites = list_requisites(lock, {host_platform(), keeping.platform}, bootstrap=keeping.bootstrap)
    try:
        new = {r.path for r in requisites if not workspace.archive.has(r.output)}
        filled = _fill(workspace, requisites, keeping)
        if not keeping.both:
            # What is new was compared with its hash while it was written.
            drop_archived(workspace, find_kept_twice(workspace, filter_files(requisites)), new | keeping.taken)
    except PycomfyError as e:
        for problem in flatten_errors(e):
            where = f" ({problem.where})" if problem.where else ""
            operation.report(f"warning: {problem.what}{where}", problem.fixes)
        operation.report(
            "warning: not everything was archived, so the version may not be restorable one day",
            (suggest("archive fill", "archives the rest later"), suggest_retry("build", archive=False)),
        )
        return False
    return not filled.absent


def _fill(workspace: Workspace, requisites: Sequence[Requisite], keeping: SourceKeeping) -> FillResult:
    """Fill the archive. Another user's build, or the garbage collector, may have removed sources from the Nix store
    meanwhile: they are fetched once more then."""
    with contextlib.suppress(NotFound):
        filled = fill_requisites(workspace, requisites, [keeping.bootstrap])
        if not filled.absent:
            return filled
    keeping.fetch_again()
    return fill_requisites(workspace, requisites, [keeping.bootstrap])


def _summarise(versions: VersionsRepository, name: str, files: dict[str, bytes]) -> str:
    """The message of a version for which the user gave none: what changed."""
    tip = versions.tips().get(name)
    if tip is None:
        return "first version"
    try:
        before = read_snapshot("before", versions.read_some([tip], FILES)[tip])
    except PycomfyError:
        return ""
    return summarise(diff(before, read_snapshot("now", files)))


def _describe(workspace: Workspace, build: FinishedBuild, image: LayoutImage) -> BuiltImage:
    return BuiltImage(
        platform=build.platform,
        manifest_digest=image.manifest_digest,
        config_digest=image.config_digest,
        diff_ids=image.diff_ids,
        layer_names=image.layer_names,
        size=image.size,
        built_at=f"{workspace.clock():%Y-%m-%dT%H:%M:%SZ}",
        seconds=round(build.seconds, 3),
        layers_built=build.layers_built,
        layers_reused=len(image.diff_ids) - build.layers_built,
        proven=True if build.verification is not None else None,
        compatible=build.verification.compatible if build.verification is not None else {},
        requirements=read_pack_requirements(workspace, build.lock),
    )
