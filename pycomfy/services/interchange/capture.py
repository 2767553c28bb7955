"""`capture`: write a folder that can be locked from a working installation; nothing of that runs or changes."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.capture.code import CodeFolder, capture_code, capture_file
from pycomfy.adapters.capture.locate import find_python, find_root
from pycomfy.adapters.capture.manager import read_manager
from pycomfy.adapters.capture.model_files import PATHS_FILE, ModelFolders, find_model_folders
from pycomfy.adapters.capture.packages import read_packages
from pycomfy.adapters.capture.packs import PackLocation, find_packs
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.adapters.models.store import ModelStore
from pycomfy.core.capture.model import Capture, CapturedCode, CapturedModel, CapturedPython
from pycomfy.core.capture.package_plan import plan_packages
from pycomfy.core.capture.render import render_config, render_notes
from pycomfy.core.lockfile.config import SUITES, ModelSpec, parse_config
from pycomfy.core.lockfile.names import COMFYUI, safe_name
from pycomfy.core.models.selection import list_models
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.services.interchange.capture_result import CaptureResult, make_result
from pycomfy.services.interchange.restored_lock import RestoredLock, open_known_source, read_restored_lock
from pycomfy.services.lock_request import read_bounded
from pycomfy.services.workspace import Workspace

NOT_CODE = (
    *("custom_nodes", "models", "output", "input", "temp", "user"),
    *(".venv", "venv", "env", "python_embeded", "python_embedded"),
    PATHS_FILE,
    LOCK,
)
"""Names at the top of ComfyUI's folder for what its users put there."""

_PACKS = "custom_nodes"


@dataclass(frozen=True)
class CaptureRequest:
    """What to capture: the ComfyUI in `folder`, into the new folder `to`. `base` is the folder with its node packs and
    models, if that is another; `python` its environment, if that is not in or beside it. Its models are those of
    `workflow`, or all with `all_models`; with `add` they go into the model store too."""

    folder: Path
    to: Path
    workflow: Path | None = None
    base: Path | None = None
    python: Path | None = None
    all_models: bool = False
    add: bool = False


def capture(workspace: Workspace, request: CaptureRequest) -> CaptureResult:
    """Write what pins the installation. Raises `NotFound`, `BadInput`, `BadWorkflow`, for all parts at once."""
    root = find_root(request.folder)
    data = None if request.workflow is None else read_bounded(request.workflow, "workflow")
    _check_target(request.to, root)
    with new_folder(request.to) as out:
        found = _find(workspace, request, root, data, out)
        text = render_config(found, _name(request.workflow))
        parse_config(text, where=str(request.to / "pycomfy.toml"))
        _write(out, "pycomfy.toml", text)
        _write(out, "NOTES.md", render_notes(found))
        for code in found.code:
            if code.patch is not None and code.patch_path is not None:
                _write(out, code.patch_path, code.patch)
        if data is not None:
            (out / WORKFLOW).write_bytes(data)
    return make_result(request.to, found, workflow=data is not None)


def _name(workflow: Path | None) -> str | None:
    """The workflow's name, as its file will be renamed."""
    if workflow is None:
        return None
    return safe_name(workflow.absolute().parent.name if workflow.name == WORKFLOW else workflow.stem)


def _check_target(to: Path, root: Path) -> None:
    """Raise `BadInput` if the folder is in the installation, or something else."""
    fix = suggest("retry", output=Placeholder("FOLDER"))
    if Path(os.path.realpath(to)).is_relative_to(os.path.realpath(root)):
        raise BadInput("inside the installation, which must not change", where=str(to), fix=fix)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadInput("already exists, and is not an empty folder", where=str(to), fix=fix)


def _write(out: Path, name: str, text: str) -> None:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "replace"))


def _find(workspace: Workspace, request: CaptureRequest, root: Path, workflow: bytes | None, out: Path) -> Capture:
    problems: list[PycomfyError] = []
    base = root if request.base is None else request.base.absolute()
    folders = find_model_folders(root, base)
    restored = read_restored_lock(workspace, root)
    packs: list[CapturedCode] = []
    with operation.step("Read ComfyUI and its node packs") as task:
        comfyui, files = _comfyui(root, out, restored)
        own = {path.split("/")[1] for path in files if path.startswith(f"{_PACKS}/")}
        locations = find_packs((base / _PACKS, *folders.packs), own if base == root else ())
        task.total(1 + len(locations.packs))
        task.advance()
        for pack in locations.packs:
            task.note(pack.path.name)
            with _collected(problems):
                packs.append(_pack(pack, base, out, restored))
            task.advance()
        task.note("1 node pack" if len(packs) == 1 else f"{len(packs)} node packs")
    python, notes = None, [*folders.notes]
    with _collected(problems):
        python, more = _python((root, base), request.python)
        notes += more
    models: tuple[CapturedModel, ...] = ()
    with _collected(problems):
        models, more = _models(request, workflow, folders, workspace.models)
        notes += more
    raise_all(problems)
    return Capture(
        comfyui=comfyui,
        packs=tuple(packs),
        python=python,
        models=models,
        disabled=locations.disabled,
        manager=read_manager(base),
        notes=(*locations.notes, *notes),
        locked_as_of=None if restored is None or python is None else restored.as_of(python.plan.pins),
    )


@contextlib.contextmanager
def _collected(problems: list[PycomfyError]) -> Iterator[None]:
    try:
        yield
    except PycomfyError as e:
        problems.append(e)


# — code —


def _comfyui(root: Path, out: Path, restored: RestoredLock | None) -> tuple[CapturedCode, Sequence[str]]:
    with open_known_source(restored, None) as known:
        found, files = capture_code(CodeFolder(COMFYUI, root, str(root), (), NOT_CODE), out, known)
    if found.folder is not None and not (out / found.folder / _PACKS).exists():
        # ComfyUI lists this folder when it starts.
        with translate_disk_full(out):
            (out / found.folder / _PACKS).mkdir()
            for path in (*(root / _PACKS).glob("*.example"), *(root / "models" / "configs").glob("*.yaml")):
                if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20:
                    to = out / found.folder / path.relative_to(root)
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, to)
    return found, files


def _pack(pack: PackLocation, base: Path, out: Path, restored: RestoredLock | None) -> CapturedCode:
    path = pack.path.relative_to(base).as_posix() if pack.path.is_relative_to(base) else str(pack.path)
    if pack.target.is_file():
        return capture_file(pack.name, pack.target, path, out)
    with open_known_source(restored, pack.path.name) as known:
        found = capture_code(CodeFolder(pack.name, pack.target, path, (base,)), out, known)[0]
    return found if restored is None else replace(found, steps=restored.steps(pack.path.name))


# — Python —


def _python(tops: Sequence[Path], given: Path | None) -> tuple[CapturedPython | None, Sequence[str]]:
    """The environment, None if there is none, and notes."""
    found = find_python(tops, given)
    if found is None:
        return None, ()
    packages = read_packages(found)
    image_version, notes = _choose_python(found.version)
    plan = plan_packages(packages.installed)
    plan = replace(plan, notes=(*plan.notes, *packages.notes))
    return CapturedPython(str(found.folder), found.kind, found.version, image_version, plan, packages.newest), notes


def _choose_python(version: str) -> tuple[str, tuple[str, ...]]:
    """The Python of images that is nearest to the installation's, and a note if it is another. An older one is
    preferred: what was made for a newer Python runs on an older one more often than the other way round."""
    known = [(int(p.split(".")[0]), int(p.split(".")[1])) for p in SUITES]
    own = tuple(int(p) for p in version.split(".")[:2] if p.isdigit())
    chosen = next((p for p in known if p == own), max(known) if own > max(known) else min(known))
    image_version = f"{chosen[0]}.{chosen[1]}"
    if chosen == own:
        return image_version, ()
    described = f"Python {version}" if version else "an unknown version of Python"
    return image_version, (
        f"it has {described}, images have {' or '.join(SUITES)}: {image_version} is used, which may have other wheels",
    )


# — models —


def _models(
    request: CaptureRequest, workflow: bytes | None, folders: ModelFolders, store: ModelStore
) -> tuple[tuple[CapturedModel, ...], Sequence[str]]:
    """Each model with its hash, and notes on those that are missing."""
    located, notes = _locate_models(request, workflow, folders)
    models = []
    for folder, name, path, url in located:
        real = Path(os.path.realpath(path))
        sha256 = store.hashes.sha256(real)
        models.append(CapturedModel(folder, name, str(path), sha256, real.stat().st_size, url))
        if request.add:
            store.set_name(f"{folder}/{name}", store.add(real))
    return tuple(sorted(models, key=lambda m: (m.folder, m.name))), notes


def _locate_models(
    request: CaptureRequest, workflow: bytes | None, folders: ModelFolders
) -> tuple[list[tuple[str, str, Path, str | None]], list[str]]:
    """Model folder, name, file and URL of each model, and notes."""
    found: dict[tuple[str, str], tuple[Path, str | None]] = {}
    notes: list[str] = []
    if workflow is not None:
        requirements = collect_requirements(parse_workflow(workflow, where=str(request.workflow)))
        required, unknown = list_models(requirements.models, ())
        for model in required:
            at = folders.find(model.folder, model.name)
            if at is None:
                notes.append(f"the model {model.location}, which the workflow uses, is missing")
            else:
                found[at[0], model.name] = at[1], model.url
        for one in unknown:
            at = folders.find(None, one.name) if one.folder is None and _is_plain(one.name) else None
            if at is None:
                notes.append(str(one))
            else:
                found[at[0], one.name] = at[1], None
    if request.all_models:
        for folder, name, path in folders.list_models():
            if _is_lockable(folder, name):
                found.setdefault((folder, name), (path, None))
            else:
                notes.append(f"the model {folder}/{name} has a name that no lock can have")
    return [(folder, name, path, url) for (folder, name), (path, url) in found.items()], notes


def _is_plain(name: str) -> bool:
    return all(part not in ("", ".", "..") for part in name.split("/"))


def _is_lockable(folder: str, name: str) -> bool:
    try:
        ModelSpec.model_validate({"folder": folder, "name": name})
        name.encode()
    except ValueError:
        return False
    return True
