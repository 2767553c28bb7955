"""Say what a workflow needs: what its lock pins, or without one what its file names."""

import hashlib
from dataclasses import dataclass

from pydantic import Field

from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.lockfile.workflow_names import WORKFLOW_FILE
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import RequiredFile
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.versions.snapshot import WORKFLOW
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.services.models.needed import NeededModel, models_status
from pycomfy.services.results import Result
from pycomfy.services.studio.workflows import find_lock, read_files
from pycomfy.services.studio.working_folders import working_folder
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PinnedCode:
    """ComfyUI, or a node pack. `source` says where it comes from, in words; `types` are the node types that the
    workflow takes from it."""

    name: str
    kind: str
    source: str
    commit: str | None
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class PinnedPackage:
    """A Python package; `size` is in bytes. It was `built` from its source where no index has a wheel."""

    name: str
    version: str
    size: int
    built: bool


class NeedsResult(Result):
    """What a workflow needs. `types` and `files` are from its file; the rest is from its lock, and empty without one.
    `locked` says whether the lock is of this very workflow. `packages` are by platform."""

    name: str
    version: int | None
    locked: bool
    types: tuple[str, ...]
    files: tuple[RequiredFile, ...]
    models: tuple[NeededModel, ...]
    comfyui_version: str | None = None
    python: str | None = None
    accelerator: str | None = None
    as_of: str | None = None
    code: tuple[PinnedCode, ...] = ()
    packages: dict[str, tuple[PinnedPackage, ...]] = Field(default_factory=dict)
    debian_packages: dict[str, int] = Field(default_factory=dict)


def list_needs(workspace: Workspace, name: str, version: int | None = None) -> NeedsResult:
    """Return what a version, or what is in the working folder, needs. Raises `NotFound`."""
    files, number = read_files(workspace, name, version)
    workflow = parse_workflow(files[WORKFLOW], where=f"{WORKFLOW_FILE} of {name}")
    requirements = collect_requirements(workflow, Definitions({}))
    target = str(working_folder(workspace, name)) if number is None else f"{name}@{number}"
    plain = NeedsResult(
        name=name,
        version=number,
        locked=False,
        types=requirements.types,
        files=requirements.files,
        models=tuple(models_status(workspace, target)),
    )
    lock = find_lock(files, name, [])
    is_its = lock is not None and lock.workflow.sha256 == hashlib.sha256(files[WORKFLOW]).hexdigest()
    return plain if lock is None else _add_pins(plain, lock, is_its)


def _add_pins(plain: NeedsResult, lock: Lock, locked: bool) -> NeedsResult:
    types = {pack.name: pack.types for pack in lock.packs}
    return plain.model_copy(
        update={
            "locked": locked,
            "comfyui_version": lock.comfyui.version,
            "python": lock.python,
            "accelerator": lock.accelerator,
            "as_of": lock.as_of,
            "code": tuple(_describe(name, source, types.get(name, ())) for name, source in lock.sources.items()),
            "packages": {
                platform: tuple(PinnedPackage(w.name, w.version, w.size, w.built is not None) for w in pins.wheels)
                for platform, pins in lock.platforms.items()
            },
            "debian_packages": {platform: len(pins.root.packages) for platform, pins in lock.platforms.items()},
        }
    )


def _describe(name: str, source: LockSource, types: tuple[str, ...]) -> PinnedCode:
    commit = getattr(source, "commit", None)
    kind = str(getattr(source, "kind", ""))
    return PinnedCode(name if name != COMFYUI else "ComfyUI", kind, source.describe(), commit, types)
