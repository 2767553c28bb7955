"""`restore`: a recorded version's image, or its project, again: from the archive alone, if need be."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.containers.load import LayoutImage, read_layout
from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.nix.binary_cache import copy_in, folder_url
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import keep, output_paths, valid_paths
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, list_requisites, model_requisite
from pycomfy.errors import BadInput, BadLock, HashMismatch, NotFound, PycomfyError, raise_all
from pycomfy.services.archive.archive import take_models
from pycomfy.services.archive.sync import batches, pull_requisites
from pycomfy.services.realise import Project, RealisedImage, host_platform, project_folder, realise
from pycomfy.services.versions.indexing import index, layout_link
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RestoreRequest:
    """`reference` is NAME, NAME@3, NAME@tag or NAME@commit; `platform` None is this machine's, or the only one built.

    `offline`: from the archive and this machine's store alone. `source` is another archive's URL, asked for what the
    own one lacks."""

    reference: str
    platform: PlatformName | None = None
    offline: bool = False
    source: str | None = None


@dataclass(frozen=True)
class RestoreResult:
    """`same` is True if the image is the recorded one bit for bit, None if none was recorded to compare with."""

    version: RecordedVersion
    platform: PlatformName
    image: LayoutImage
    same: bool | None
    layers_built: int
    seconds: float


def restore_image(workspace: Workspace, request: RestoreRequest) -> RestoreResult:
    """The image of a version. What cannot be had is told at once, before anything is written.

    Raises `NotFound`, and `HashMismatch` for a damaged archive, or if the image is not the one that was recorded.
    """
    began = time.monotonic()
    version = find_recorded_version(workspace, request.reference)
    platform = _platform(request, version)
    check_store(workspace.nix)
    report_missing_models(workspace, version)
    log = workspace.paths.data / "logs" / f"restore-{version.label}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.log"
    with project_folder(workspace, version.files) as folder:
        project = Project(folder, version.lock, platform, folder)
        made = _find_built(workspace, project)
        if made is None:
            needs = list_requisites(version.lock, {host_platform(), platform})
            find_sources(workspace, needs, request)
            copy_from_archive(workspace, needs)
            made = realise(workspace, project, log=log)
    image = read_layout(workspace.nix.place(str(made.oci)))
    recorded = version.images.get(platform)
    if recorded is not None and recorded.manifest_digest != image.manifest_digest:
        raise HashMismatch(
            f"the image came out as {image.manifest_digest}, but {recorded.manifest_digest} was recorded",
            where=version.label,
            fix=f"`pycomfy verify {version.label}` explains the difference",
        )
    take_models(workspace, version.lock.models)
    keep(workspace.nix, str(made.oci), layout_link(workspace, image.manifest_digest))
    index(workspace)
    same = None if recorded is None else True
    return RestoreResult(version, platform, image, same, len(made.built), time.monotonic() - began)


def restore_project(workspace: Workspace, reference: str, to: Path) -> RecordedVersion:
    """Write the version's Nix project to the folder `to`, which must be empty or new."""
    version = find_recorded_version(workspace, reference)
    check_folder(to)
    write_folder(to, version.files)
    return version


def check_folder(to: Path) -> None:
    """Raises `BadInput` unless `to` is an empty folder, or can become one."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadInput("it is there already, and not an empty folder", where=str(to), fix="give a new folder")


def find_sources(workspace: Workspace, needs: Iterable[Requisite], request: RestoreRequest) -> None:
    """See that everything is in this machine's store, in its archive, or in the other one, from which it is then
    fetched. Raises all that is missing at once if `offline`; else only says that the network is needed for it."""
    archive = workspace.archive
    missing = missing_sources(workspace, needs)
    if missing and request.source is not None and not request.offline:
        missing = list(pull_requisites(workspace, request.source, missing))
    if missing and request.offline:
        raise_all([missing_source_error(need, request.reference, archive) for need in missing])
    if missing:
        names = ", ".join(need.title for need in missing[:5])
        operation.report(f"not in the archive, so fetched from where they came: {names}" + " …" * (len(missing) > 5))


def missing_sources(workspace: Workspace, needs: Iterable[Requisite]) -> list[Requisite]:
    """Those of `needs` that are neither in the store nor in the archive, and indispensable. Raises `HashMismatch` for
    all that the archive has in a damaged form."""
    all_, archive = list(needs), workspace.archive
    here = set(valid_paths(workspace.nix, [need.path for need in all_]))
    missing: list[Requisite] = []
    damaged: list[PycomfyError] = []
    for need in all_:
        try:
            if need.path not in here and archive.find(need.output) is None:
                missing.append(need)
        except HashMismatch as e:
            damaged.append(e)
    if len(here) < len(all_):
        try:
            archive.check_info()
        except HashMismatch as e:
            damaged.append(e)
    raise_all(damaged)
    return list(filter_required(missing, all_))


def missing_source_error(need: Requisite, reference: str, archive: Archive) -> PycomfyError:
    """The error for a source that is nowhere to be had."""
    return NotFound(
        f"{need.title} cannot be restored: it is neither in the archive nor in this machine's store",
        where=f"{reference}; it came from {need.origin}",
        fix="leave out --offline to fetch it, or `pycomfy archive pull URL` from an archive that has it",
    )


def copy_from_archive(workspace: Workspace, needs: Iterable[Requisite]) -> int:
    """Put into the store what it lacks and the archive has; how many paths that were. Nix checks every byte."""
    all_, archive = list(needs), workspace.archive
    here = set(valid_paths(workspace.nix, [need.path for need in all_]))
    wanted = [need for need in all_ if need.path not in here and archive.has(need.output)]
    if not wanted:
        return 0
    sizes = [archive.size_of(need.output) for need in wanted]
    with operation.step("Take sources from the archive", total=sum(sizes), unit="bytes") as task:
        with folder_url(archive.folder) as url:

            def copy(batch: list[int]) -> None:
                copy_in(workspace.nix, url, [wanted[i].path for i in batch])
                task.advance(sum(sizes[i] for i in batch))

            # One Nix hashes one path after the other; several use every core, and one disk well.
            run_concurrently({str(number): partial(copy, batch) for number, batch in enumerate(batches(sizes))})
        task.note(f"{len(wanted)} of {len(all_)}")
    return len(wanted)


def report_missing_models(workspace: Workspace, version: RecordedVersion) -> tuple[ModelFile, ...]:
    """The models that are neither on this machine nor in its archive. An image is restored without them, but does not
    run without them."""
    archive = workspace.archive
    absent = workspace.models.missing(version.lock.models)
    missing = tuple(m for m in absent if archive.find(model_requisite(m).output) is None)
    for model in missing:
        operation.report(f"not on this machine: the model {model.place} (SHA-256 {model.sha256}); see `pycomfy models`")
    return missing


def _platform(request: RestoreRequest, version: RecordedVersion) -> PlatformName:
    if request.platform is not None:
        platform = request.platform
    else:
        host, built = host_platform(), sorted(version.images)
        platform = host if host in version.images or len(built) != 1 else built[0]
    if platform not in version.lock.platforms:
        locked = ", ".join(sorted(version.lock.platforms))
        raise BadLock(f"it is not locked for {platform}", where=version.label, fix=f"it can be restored for: {locked}")
    return platform


def _find_built(workspace: Workspace, project: Project) -> RealisedImage | None:
    """The image, if it is still in the store; then its sources are not needed."""
    (path,) = output_paths(workspace.nix, project.folder, "oci", project.platform)
    return RealisedImage(Path(path), frozenset()) if valid_paths(workspace.nix, [path]) else None
