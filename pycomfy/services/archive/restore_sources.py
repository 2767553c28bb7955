"""Find the sources that a version is restored from."""

from collections.abc import Iterable
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.nix.store import valid_paths
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.core.nix.lock_outputs import Requisite, filter_required, model_requisite
from pycomfy.errors import (
    BadInput,
    Fix,
    HashMismatch,
    NotFound,
    Placeholder,
    PycomfyError,
    raise_all,
    suggest,
    suggest_retry,
)
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.archive.sync import pull_requisites
from pycomfy.services.versions.recorded_version import RecordedVersion
from pycomfy.services.workspace import Workspace

_MAX_NAMES = 5  # in one remark


def check_folder(to: Path) -> None:
    """Raise `BadInput` unless `to` is an empty folder, or can become one."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadInput("it is there already, and not an empty folder", where=str(to), fix="give a new folder")


def find_sources(workspace: Workspace, requisites: Iterable[Requisite], request: RestoreRequest) -> None:
    """See that everything is in this machine's Nix store or archive, or fetch it from the other archive.

    Raises `NotFound` for all that is missing at once if `offline`; else only reports that the network is needed.
    """
    every = tuple(requisites)
    missing = missing_sources(workspace, every)
    if missing and request.source is not None and not request.offline:
        missing = list(filter_required(pull_requisites(workspace, request.source, missing), every))
    if missing and request.offline:
        fetch = suggest_retry("restore", "to fetch it", offline=False)
        raise_all([missing_source_error(requisite, request.reference, fetch) for requisite in missing])
    if missing:
        names = ", ".join(r.title for r in missing[:_MAX_NAMES]) + " …" * (len(missing) > _MAX_NAMES)
        operation.report(f"not in the archive, so fetched from where they came: {names}")


def missing_sources(workspace: Workspace, requisites: Iterable[Requisite]) -> list[Requisite]:
    """Return the indispensable requisites that are in neither the Nix store nor the archive. Raises `HashMismatch` for
    all that is damaged in the archive at once."""
    all_, archive = list(requisites), workspace.archive
    here = set(valid_paths(workspace.nix, [r.path for r in all_]))
    missing: list[Requisite] = []
    damaged: list[PycomfyError] = []
    for requisite in all_:
        try:
            if requisite.path not in here and archive.find(requisite.output) is None:
                missing.append(requisite)
        except HashMismatch as e:
            damaged.append(e)
    if len(here) < len(all_):
        try:
            archive.check_info()
        except HashMismatch as e:
            damaged.append(e)
    raise_all(damaged)
    return list(filter_required(missing, all_))


def missing_source_error(requisite: Requisite, reference: str, *fixes: Fix) -> PycomfyError:
    """Return the error for a source of a version that this machine lacks; `fixes` come before the general one."""
    return NotFound(
        f"{requisite.title} cannot be restored: it is in neither the archive nor this machine's Nix store",
        where=f"{reference}; it came from {requisite.origin}",
        fix=(*fixes, suggest("archive pull", "from an archive that has it", url=Placeholder("URL"))),
    )


def report_missing_models(workspace: Workspace, version: RecordedVersion) -> tuple[ModelFile, ...]:
    """Return the models that are in neither the model store nor the archive, and report each. An image is restored
    without them, but does not run without them."""
    archive = workspace.archive
    absent = workspace.models.list_missing(version.lock.models)
    missing = tuple(m for m in absent if archive.find(model_requisite(m).output) is None)
    for model in missing:
        operation.report(
            f"not on this machine: the model {model.location} (SHA-256 {model.sha256})",
            suggest("models status", "shows where it can be fetched", target=version.label),
        )
    return missing
