"""`restore --to`: a version as a plain ComfyUI folder that runs without Nix and without containers."""

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.python.venv import Venv, find_python
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.core.nix.lock_outputs import Requisite, source_requisite, wheel_requisites
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import BadLock, PycomfyError, raise_all
from pycomfy.services.archive.archive import take_models
from pycomfy.services.archive.restore import (
    RestoreRequest,
    check_folder,
    find_sources,
    missing_source_error,
    missing_sources,
    report_missing_models,
)
from pycomfy.services.archive.source_provider import SourceProvider, open_source_provider, write_source
from pycomfy.services.realise import host_platform
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.workspace import Workspace

VENV = ".venv"
_BATCH = 1 << 30  # bytes of wheels that lie unpacked from the archive at a time


@dataclass(frozen=True)
class PlainResult:
    """`folder` has `main.py`; `missing_models` are not on this machine. `steps` are commands that were not run, each
    with the pack in whose folder an image runs it: no code of a pack runs while it is restored."""

    version: RecordedVersion
    folder: Path
    packs: tuple[str, ...]
    packages: int
    missing_models: tuple[ModelFile, ...]
    steps: tuple[tuple[str, str], ...] = ()


def restore_plain(workspace: Workspace, request: RestoreRequest, to: Path) -> PlainResult:
    """Fill the new folder `to`: ComfyUI and the node packs at their commits, the workflow where ComfyUI lists it, a
    virtual environment of the archived wheels alone, models as links. Nothing is left of it if something fails.

    Raises everything that is missing at once, before anything is written.
    """
    version = find_recorded_version(workspace, request.reference)
    platform = host_platform()
    if platform not in version.lock.platforms:
        raise BadLock(f"it is not locked for {platform}", where=version.label, fix="restore it on another machine")
    code = [source_requisite(version.lock), *(source_requisite(version.lock, p.name) for p in version.lock.packs)]
    wheels = wheel_requisites(version.lock, platform)
    python, shelf = _check(workspace, request, to, (*code, *wheels), version)
    store = workspace.models
    missing = report_missing_models(workspace, version)
    take_models(workspace, version.lock.models)
    with new_folder(to) as folder:
        with operation.step("Place ComfyUI and the node packs", total=len(code)) as task:
            write_source(shelf, code[0], version.lock.comfyui.source, folder)
            task.advance()
            for pack, need in zip(version.lock.packs, code[1:], strict=True):
                write_source(shelf, need, pack.source, folder / "custom_nodes" / pack.name)
                task.advance()
        _write_workflow(version, folder)
        _link_models([m for m in version.lock.models if m not in missing], store, folder)
        _install(shelf, wheels, python, folder)
    steps = tuple((pack.name, shlex.join(step.run)) for pack in version.lock.packs for step in pack.steps)
    return PlainResult(version, to, tuple(p.name for p in version.lock.packs), len(wheels), missing, steps)


def _check(
    workspace: Workspace, request: RestoreRequest, to: Path, needs: Sequence[Requisite], version: RecordedVersion
) -> tuple[Path, SourceProvider]:
    """The Python to use, and where sources are. Raises all that is in the way at once."""
    problems: list[PycomfyError] = []
    python = Path()
    try:
        check_folder(to)
    except PycomfyError as e:
        problems.append(e)
    try:
        python = find_python(version.lock.python)
    except PycomfyError as e:
        problems.append(e)
    archive = workspace.archive
    has_nix = shutil.which("nix-store") is not None
    if not request.offline and request.source is not None:
        find_sources(workspace, needs, request)
    absent = missing_sources(workspace, needs) if has_nix else [n for n in needs if archive.find(n.output) is None]
    problems += [missing_source_error(need, request.reference, archive) for need in absent]
    raise_all(problems)
    return python, open_source_provider(workspace, needs)


def _write_workflow(version: RecordedVersion, folder: Path) -> None:
    # So that `capture` knows what it was.
    (folder / LOCK).write_bytes(version.files[LOCK])
    place = folder / "user" / "default" / "workflows"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{version.version.name}.json").write_bytes(version.files["workflow.json"])
    for path, data in version.files.items():
        if path.startswith("input/"):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def _link_models(models: Sequence[ModelFile], store: ModelStore, folder: Path) -> None:
    for model in models:
        link = folder / "models" / model.place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(store.place(model.sha256))


def _install(shelf: SourceProvider, wheels: Sequence[Requisite], python: Path, folder: Path) -> None:
    total = sum(w.size or 0 for w in wheels)
    with (
        operation.step("Install the wheels", total=total, unit="bytes") as task,
        tempfile.TemporaryDirectory(dir=folder, prefix=".uv-") as place,
        translate_disk_full(folder),
    ):
        cache = Path(place, "cache")
        venv = Venv(folder / VENV, cache)
        venv.make(python)
        for batch in _batches(wheels):
            with _lent(shelf, batch, Path(place)) as files:
                venv.install(files)
            # Installed files are links to it, and nothing is installed twice.
            shutil.rmtree(cache, ignore_errors=True)
            task.advance(sum(w.size or 0 for w in batch))


@contextlib.contextmanager
def _lent(shelf: SourceProvider, wheels: Sequence[Requisite], beside: Path) -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        yield [shelf.lend(need, Path(folder)) for need in wheels]


def _batches(wheels: Sequence[Requisite]) -> list[list[Requisite]]:
    groups: list[list[Requisite]] = [[]]
    for wheel in wheels:
        if groups[-1] and sum(w.size or 0 for w in (*groups[-1], wheel)) > _BATCH:
            groups.append([])
        groups[-1].append(wheel)
    return [g for g in groups if g]
