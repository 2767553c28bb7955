"""`restore`: a version as a plain ComfyUI folder, which runs without Nix and without containers."""

import shlex
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.python.venv import Venv, find_python
from pycomfy.adapters.python.wheel_trim import write_without
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.core.nix.lock_outputs import Requisite, package_requisites, source_requisite
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import BadInput, BadLock, PycomfyError, raise_all, suggest
from pycomfy.services.archive.archive import take_models
from pycomfy.services.archive.archived_sources import batches
from pycomfy.services.archive.fill import archive_carried
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.archive.restore_sources import (
    check_folder,
    find_sources,
    missing_source_error,
    missing_sources,
    report_missing_models,
)
from pycomfy.services.archive.source_provider import SourceProvider, open_source_provider, write_source
from pycomfy.services.project import host_platform
from pycomfy.services.results import Result
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.workspace import Workspace

VENV = ".venv"
_BATCH_BYTES = 1 << 30  # of wheels that are unpacked from the archive at a time


@dataclass(frozen=True)
class MissingModel:
    """A model that is not on this machine; `place` is its path below `models/`."""

    place: str
    sha256: str


@dataclass(frozen=True)
class SkippedStep:
    """A command of a pack's build that was not run."""

    pack: str
    command: str


class RestoredFolder(Result):
    """`folder` has `main.py`; `packages` counts Python packages. `version` is a label, such as NAME@3. `steps` are the
    commands that an image runs in the folder of a pack: no code of a pack runs while it is restored."""

    version: str
    commit: str
    folder: Path
    packs: tuple[str, ...]
    packages: int
    missing_models: tuple[MissingModel, ...]
    steps: tuple[SkippedStep, ...]


def restore_plain(workspace: Workspace, request: RestoreRequest, to: Path) -> RestoredFolder:
    """Fill the new folder `to`: ComfyUI and the node packs at their commits, the workflow where ComfyUI lists it, a
    virtual environment of the archived wheels alone, models as links. Nothing is left of it if something fails.

    Raises everything that is missing at once, before anything is written.
    """
    recorded = find_recorded_version(workspace, request.reference)
    lock, platform = recorded.lock, host_platform()
    if request.platform not in (None, platform):
        what = f"such a folder has programs of this machine's platform, {platform}, not of {request.platform}"
        fix = ("restore it on such a machine", suggest("restore", reference=request.reference, project=str(to)))
        raise BadInput(what, where=recorded.label, fix=fix)
    if platform not in lock.platforms:
        raise BadLock(f"it is not locked for {platform}", where=recorded.label, fix="restore it on another machine")
    code = [source_requisite(lock), *(source_requisite(lock, pack.name) for pack in lock.packs)]
    wheels = package_requisites(lock, platform)
    python, provider = _check(workspace, request, to, (*code, *wheels), recorded)
    missing = report_missing_models(workspace, recorded)
    if not operation.is_dry_run():
        take_models(workspace, lock.models)
        with new_folder(to) as folder:
            with operation.step("Place ComfyUI and the node packs", total=len(code)) as task:
                write_source(provider, code[0], lock.comfyui.source, folder)
                task.advance()
                for pack, requisite in zip(lock.packs, code[1:], strict=True):
                    write_source(provider, requisite, pack.source, folder / "custom_nodes" / pack.name)
                    task.advance()
            _write_workflow(recorded, folder)
            _link_models([m for m in lock.models if m not in missing], workspace.models, folder)
            excludes = [wheel.exclude for wheel in lock.platforms[platform].wheels]
            _install(_Lender(provider, wheels, excludes), python, folder)
    return RestoredFolder(
        version=recorded.label,
        commit=recorded.version.commit,
        folder=to,
        packs=tuple(pack.name for pack in lock.packs),
        packages=len(wheels),
        missing_models=tuple(MissingModel(m.location, m.sha256) for m in missing),
        steps=tuple(SkippedStep(pack.name, shlex.join(step.run)) for pack in lock.packs for step in pack.steps),
    )


def _check(
    workspace: Workspace, request: RestoreRequest, to: Path, requisites: Sequence[Requisite], recorded: RecordedVersion
) -> tuple[Path, SourceProvider]:
    """Return the Python to use, and where sources are. Raises all problems at once."""
    problems: list[PycomfyError] = []
    python = Path()
    try:
        check_folder(to)
    except PycomfyError as e:
        problems.append(e)
    try:
        python = find_python(recorded.lock.python)
    except PycomfyError as e:
        problems.append(e)
    archive = workspace.archive
    archive_carried(workspace, recorded.files, requisites)
    has_nix = shutil.which("nix-store") is not None
    if not request.offline and request.source is not None:
        find_sources(workspace, requisites, request)
    if has_nix:
        absent = missing_sources(workspace, requisites)
    else:
        absent = [r for r in requisites if archive.find(r.output) is None]
    problems += [missing_source_error(requisite, request.reference) for requisite in absent]
    raise_all(problems)
    return python, open_source_provider(workspace, requisites)


def _write_workflow(recorded: RecordedVersion, folder: Path) -> None:
    # For who captures this folder later on: what it was made from.
    (folder / LOCK).write_bytes(recorded.files[LOCK])
    workflows = folder / "user" / "default" / "workflows"
    workflows.mkdir(parents=True, exist_ok=True)
    (workflows / f"{recorded.version.name}.json").write_bytes(recorded.files["workflow.json"])
    for path, data in recorded.files.items():
        if path.startswith("input/"):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def _link_models(models: Sequence[ModelFile], store: ModelStore, folder: Path) -> None:
    for model in models:
        link = folder / "models" / model.location
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(store.blob_path(model.sha256))


@dataclass(frozen=True)
class _Lender:
    """Lends the files of `wheels`, each without what the lock excludes from it."""

    provider: SourceProvider
    wheels: Sequence[Requisite]
    excludes: Sequence[Collection[str]]

    def lend(self, number: int, folder: Path) -> Path:
        file = self.provider.lend(self.wheels[number], folder)
        if not self.excludes[number]:
            return file
        trimmed = folder / "trimmed" / file.name
        trimmed.parent.mkdir(exist_ok=True)
        write_without(file, self.excludes[number], trimmed)
        return trimmed


def _install(lender: _Lender, python: Path, folder: Path) -> None:
    sizes = [wheel.size or 0 for wheel in lender.wheels]
    with (
        operation.step("Install the wheels", total=sum(sizes), unit="bytes") as task,
        tempfile.TemporaryDirectory(dir=folder, prefix=".uv-") as temporary,
        translate_disk_full(folder),
    ):
        cache = Path(temporary, "cache")
        venv = Venv(folder / VENV, cache)
        venv.make(python)
        for batch in batches(sizes, _BATCH_BYTES):
            with tempfile.TemporaryDirectory(dir=temporary) as lent:
                venv.install([lender.lend(i, Path(lent)) for i in batch])
            # Installed files are links to it, and nothing is installed twice.
            shutil.rmtree(cache, ignore_errors=True)
            task.advance(sum(sizes[i] for i in batch))
