"""`restore`: a version again, as an image, as a plain ComfyUI folder or as its Nix project."""

from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.errors import BadInput
from pycomfy.services.archive.restore_image import RestoredImage, RestorePlan, plan_image, restore_image
from pycomfy.services.archive.restore_plain import RestoredFolder, restore_plain
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.archive.restore_sources import check_folder
from pycomfy.services.results import Result
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.workspace import Workspace


class RestoredProject(Result):
    """The folder `project` has the Nix project. `version` is a label, such as NAME@3."""

    version: str
    commit: str
    project: Path


def restore(workspace: Workspace, request: RestoreRequest) -> RestoredImage | RestoredFolder | RestoredProject:
    """Restore a version in the form that is requested. Raises `NotFound` for all that is missing at once, before
    anything is written; `HashMismatch` for a damaged archive, and for an image that is not the recorded one."""
    if request.to is not None and request.project is not None:
        raise BadInput("a version is restored in one form at a time", where=request.reference, fix="name one folder")
    if request.project is not None:
        return restore_project(workspace, request.reference, request.project)
    if request.to is not None:
        return restore_plain(workspace, request, request.to)
    return restore_image(workspace, request)


def plan_restore(
    workspace: Workspace, request: RestoreRequest
) -> RestorePlan | RestoredImage | RestoredFolder | RestoredProject:
    """Return what `restore` would, in a dry run; of an image, which is not built then, a plan. Raises likewise."""
    return restore(workspace, request) if request.to or request.project else plan_image(workspace, request)


def restore_project(workspace: Workspace, reference: str, to: Path) -> RestoredProject:
    """Write the version's Nix project to the folder `to`, which must be empty or new."""
    recorded = find_recorded_version(workspace, reference)
    check_folder(to)
    write_folder(to, recorded.files)
    return RestoredProject(version=recorded.label, commit=recorded.version.commit, project=to)
