"""Say what a restore would do, before it is done."""

from pycomfy.errors import BadInput
from pycomfy.services.archive.restore import RestoredProject, plan_restore
from pycomfy.services.archive.restore_image import RestoredImage, RestorePlan
from pycomfy.services.archive.restore_plain import MissingModel, RestoredFolder, SkippedStep
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.dry_run import dry_run
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace


class PlannedRestore(Result):
    """What would be restored. Of an image: whether it is `built` already, else of how many `sources` it is built, and
    the digest that it must have, None where none is recorded. Of a plain ComfyUI folder: its node packs, the number of
    its packages, the models that are not on this machine, and the commands that are not run. `folder` is where it would
    be written."""

    version: str
    built: bool = False
    sources: int = 0
    manifest_digest: str | None = None
    platform: str | None = None
    folder: str | None = None
    packs: tuple[str, ...] = ()
    packages: int = 0
    missing_models: tuple[MissingModel, ...] = ()
    steps: tuple[SkippedStep, ...] = ()


def preview_restore(workspace: Workspace, request: RestoreRequest) -> PlannedRestore:
    """Return what a restore would do. Raises what it would raise, before anything is written."""
    for path in (request.to, request.project):
        if path is not None and not path.is_absolute():
            fix = "give a path from /"
            raise BadInput("the folder has no absolute path", where=str(path), fix=fix)
    with dry_run(workspace) as copy:
        planned = plan_restore(copy, request)
    match planned:
        case RestorePlan():
            return PlannedRestore(
                version=planned.label,
                built=planned.built,
                sources=planned.sources,
                manifest_digest=planned.manifest_digest,
                platform=planned.platform,
            )
        case RestoredFolder():
            return PlannedRestore(
                version=planned.version,
                folder=str(planned.folder),
                packs=planned.packs,
                packages=planned.packages,
                missing_models=planned.missing_models,
                steps=planned.steps,
            )
        case RestoredProject():
            return PlannedRestore(version=planned.version, folder=str(planned.project))
        case RestoredImage():  # pragma: no cover - a plan builds nothing
            return PlannedRestore(version=planned.label, built=True, manifest_digest=planned.manifest_digest)
