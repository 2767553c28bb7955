"""`restore`: a version's image again, bit for bit; from the archive alone, if necessary."""

import time
from dataclasses import replace
from pathlib import Path

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.nix.build import evaluate
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import add_gc_root, valid_paths
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, list_requisites
from pycomfy.errors import BadLock, HashMismatch, suggest
from pycomfy.services.archive.archive import take_models
from pycomfy.services.archive.archived_sources import drop_archived, filter_files, find_kept_twice
from pycomfy.services.archive.fill import archive_carried
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.archive.restore_sources import find_sources, report_missing_models
from pycomfy.services.project import Project, host_platform, project_folder
from pycomfy.services.realise import RealisedImage, realise
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class RestoredImage(VersionResult):
    """The image; `oci` is the folder of its layout, `size` is in bytes. `same` is True if it is the recorded image bit
    for bit, None if none was recorded to compare with. `created_at` is the version's, in UTC."""

    parents: tuple[str, ...]
    message: str
    created_at: str
    platform: PlatformName
    oci: Path
    manifest_digest: str
    config_digest: str
    diff_ids: tuple[str, ...]
    size: int
    same: bool | None
    layers_built: int
    seconds: float


class RestorePlan(VersionResult):
    """What a dry run found: the image is `built` already, or would be of that many `sources`. `manifest_digest` is that
    of the recorded image, None if there is none."""

    platform: PlatformName
    built: bool
    sources: int
    manifest_digest: str | None


def restore_image(workspace: Workspace, request: RestoreRequest) -> RestoredImage:
    """Build the image of a version, or find it in the Nix store. What is missing is reported at once, before anything
    is written.

    Raises `NotFound`; `HashMismatch` for a damaged archive, or if the image is not the recorded one.
    """
    began = time.monotonic()
    recorded = find_recorded_version(workspace, request.reference)
    platform = _choose_platform(request, recorded)
    check_store(workspace.nix)
    report_missing_models(workspace, recorded)
    log = workspace.log_file(f"restore-{recorded.label}")
    with project_folder(workspace, recorded.files) as folder:
        project = Project(folder, recorded.lock, platform, folder, offline=request.offline)
        made = _find_built(workspace, project)
        if made is None:
            requisites = _list_requisites(recorded, platform)
            archive_carried(workspace, recorded.files, requisites)
            find_sources(workspace, requisites, request)
            made = realise(workspace, project, log=log)
            drop_archived(workspace, find_kept_twice(workspace, filter_files(requisites)), made.taken)
    image = read_layout(workspace.nix.local_path(str(made.oci)))
    before = recorded.images.get(platform)
    if before is not None and before.manifest_digest != image.manifest_digest:
        raise HashMismatch(
            f"the image came out as {image.manifest_digest}, but {before.manifest_digest} was recorded",
            where=recorded.label,
            fix=suggest("verify", "explains the difference", name=recorded.label),
        )
    take_models(workspace, recorded.lock.models)
    add_gc_root(workspace.nix, str(made.oci), layout_link(workspace, image.manifest_digest))
    index(workspace)
    version = recorded.version
    return RestoredImage(
        name=version.name,
        version=version.number,
        commit=version.commit,
        parents=version.parents,
        message=version.message,
        created_at=version.created_at,
        platform=platform,
        oci=image.layout,
        manifest_digest=image.manifest_digest,
        config_digest=image.config_digest,
        diff_ids=image.diff_ids,
        size=image.size,
        same=None if before is None else True,
        layers_built=len(made.built),
        seconds=round(time.monotonic() - began, 3),
    )


def plan_image(workspace: Workspace, request: RestoreRequest) -> RestorePlan:
    """Return what an image would be restored from. Raises `NotFound` for all that is missing at once, if `offline`."""
    recorded = find_recorded_version(workspace, request.reference)
    platform = _choose_platform(request, recorded)
    check_store(workspace.nix)
    report_missing_models(workspace, recorded)
    with project_folder(workspace, recorded.files) as folder:
        built = _find_built(workspace, Project(folder, recorded.lock, platform, folder, offline=request.offline))
    requisites = _list_requisites(recorded, platform)
    if built is None:
        archive_carried(workspace, recorded.files, requisites)
        find_sources(workspace, requisites, replace(request, source=None))
    version, image = recorded.version, recorded.images.get(platform)
    return RestorePlan(
        name=version.name,
        version=version.number,
        commit=version.commit,
        platform=platform,
        built=built is not None,
        sources=len(requisites),
        manifest_digest=None if image is None else image.manifest_digest,
    )


def _list_requisites(recorded: RecordedVersion, platform: PlatformName) -> tuple[Requisite, ...]:
    return list_requisites(recorded.lock, {platform}, host_platform(), find_bootstrap(recorded.files))


def _choose_platform(request: RestoreRequest, recorded: RecordedVersion) -> PlatformName:
    if request.platform is not None:
        platform = request.platform
    else:
        host, built = host_platform(), sorted(recorded.images)
        platform = host if host in recorded.images or len(built) != 1 else built[0]
    if platform not in recorded.lock.platforms:
        fixes = tuple(suggest("retry", platform=locked) for locked in sorted(recorded.lock.platforms))
        raise BadLock(f"it is not locked for {platform}", where=recorded.label, fix=fixes)
    return platform


def _find_built(workspace: Workspace, project: Project) -> RealisedImage | None:
    """Return the image if it is still in the Nix store; then its sources are not needed."""
    (path,) = evaluate(workspace.nix, project.target("layout")).outputs
    return RealisedImage(Path(path), frozenset()) if valid_paths(workspace.nix, [path]) else None
