"""`export` to another tool: a version, or a lock, in the tool's own format."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pycomfy.adapters.bundle.comfy_pack import write_cpack
from pycomfy.adapters.io.atomic_files import check_replaceable, translate_disk_full, write_file
from pycomfy.core.interchange.comfy_cli import render_definition
from pycomfy.core.interchange.comfy_pack import INPUTS, is_manager, render_cpack, render_old_cpack
from pycomfy.core.interchange.comfyui_desktop import render_desktop
from pycomfy.core.interchange.comfyui_json import render_graph
from pycomfy.core.interchange.comfyui_manager import render_snapshot
from pycomfy.core.interchange.from_lock import environment_from_lock, list_inputs
from pycomfy.core.interchange.model import SUPPORTED_PARTS, ApiInput, EnvironmentSpec, Format, GitPack, list_unsupported
from pycomfy.core.interchange.pylock import render_pylock
from pycomfy.core.interchange.view_comfy import render_view
from pycomfy.core.interface.model import parse_interface
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, NotFound, PycomfyError
from pycomfy.services.lock_request import LockRequest, read_bounded, read_config
from pycomfy.services.realise import host_platform
from pycomfy.services.versions.recorded_version import LOCK, find_recorded_version
from pycomfy.services.workspace import Workspace

MAX_WORKFLOWS = 200
"""Files beside a lock that may be its workflow."""


@dataclass(frozen=True)
class ForeignExport:
    """`label` says of what, `lost` all that the format has no place for, `notes` what the user should know besides;
    `size` in bytes."""

    label: str
    file: Path
    size: int
    lost: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Subject:
    """What is exported, and the folder with its input files, if it has one."""

    label: str
    recipe: EnvironmentSpec
    folder: Path | None = None


def export_foreign(
    workspace: Workspace, reference: str, to: Path, format_: Format, platform: PlatformName | None = None
) -> ForeignExport:
    """Write `reference`, a version or the path of a lock or its folder, to the file `to`. Python packages are those of
    `platform`, by default of this machine's; in a `pylock.toml` those of all. Raises `NotFound`, `BadInput`."""
    with translate_disk_full(to):
        check_replaceable(to)
    subject = _from_folder(Path(reference)) if _is_path(reference) else _from_library(workspace, reference)
    recipe = _for_platform(subject, format_, platform)
    lost, notes = [*recipe.remarks, *list_unsupported(recipe, format_)], []
    if format_ in ("cpack", "cpack-0.3"):
        files, said = (render_cpack if format_ == "cpack" else render_old_cpack)(recipe)
        inputs = dict(_input_files(subject, lost))
        if format_ == "cpack" and not any(isinstance(p, GitPack) and is_manager(p.url) for p in recipe.packs):
            notes.append("ComfyUI-Manager 3.31.9 is in it besides: comfy-pack installs the node packs with it")
        size = write_cpack(to, {**files, **inputs})
    else:
        data, said = _RENDERERS[format_](recipe, subject, to)
        write_file(to, data)
        size = len(data)
        if format_ == "pylock" and not re.fullmatch(r"pylock\.([^.]+\.)?toml", to.name):
            notes.append("pip and uv read it when it is called pylock.toml, or pylock.NAME.toml")
    return ForeignExport(subject.label, to, size, (*lost, *said), tuple(notes))


_Renderer = Callable[[EnvironmentSpec, _Subject, Path], tuple[bytes, tuple[str, ...]]]

_RENDERERS: Mapping[Format, _Renderer] = {
    "manager-snapshot": lambda r, _, to: render_snapshot(r, as_yaml=to.suffix in (".yaml", ".yml")),
    "comfyui-json": lambda r, _, to: render_graph(r),
    "pylock": lambda r, _, to: render_pylock(r),
    "comfy-cli": lambda r, subject, to: render_definition(r, r.name or subject.label),
    "desktop-snapshot": lambda r, subject, to: render_desktop(r, r.name or subject.label),
    "view-comfy": lambda r, subject, to: render_view(r, subject.label),
}


def _is_path(reference: str) -> bool:
    """A version's name has no slash, and none ends so."""
    return "/" in reference or reference.endswith(".lock") or reference in (".", "..")


def _from_library(workspace: Workspace, reference: str) -> _Subject:
    stored = find_recorded_version(workspace, reference)
    recipe = environment_from_lock(stored.lock)
    inputs: tuple[ApiInput, ...] = ()
    if "interface.json" in stored.files:
        text = stored.files["interface.json"].decode(errors="replace")
        inputs = tuple(list_inputs(parse_interface(text, where=f"interface.json of {stored.label}")))
    workflow, prompt = stored.files["workflow.json"], stored.files.get("prompt.json")
    return _Subject(stored.label, replace(recipe, workflow=workflow, prompt=prompt, inputs=inputs))


def _from_folder(path: Path) -> _Subject:
    """A lock that need not be built: the workflow is the file beside it that it was made for."""
    file = path / LOCK if path.is_dir() else path
    lock = parse_lock(read_bounded(file, "lock").decode(errors="replace"), where=str(file))
    recipe, folder = environment_from_lock(lock), file.parent
    workflow = _find_workflow(folder, lock.workflow.sha256)
    if workflow is not None:
        api = parse_workflow(workflow, where=str(folder)).format == "api"
        _, config = read_config(LockRequest(folder / "workflow.json"))
        places = ((name, *place.partition(".")[::2]) for name, place in config.inputs.items())
        inputs = tuple(ApiInput(name, node, input_) for name, node, input_ in places)
        recipe = replace(recipe, workflow=workflow, prompt=workflow if api else None, inputs=inputs)
    return _Subject(str(file), recipe, folder)


def _find_workflow(folder: Path, sha256: str) -> bytes | None:
    others = sorted(folder.glob("*.json"))[:MAX_WORKFLOWS]
    for file in (folder / "workflow.json", *others):
        try:
            data = read_bounded(file, "workflow")
        except (NotFound, BadInput):
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    return None


def _for_platform(subject: _Subject, format_: Format, platform: PlatformName | None) -> EnvironmentSpec:
    recipe = subject.recipe
    if platform is not None and platform not in recipe.platforms:
        raise BadInput(
            f"it is not locked for {platform}", where=subject.label, fix=f"one of: {', '.join(recipe.platforms)}"
        )
    if platform is None and (format_ == "pylock" or "packages" not in SUPPORTED_PARTS[format_]):
        return recipe
    return recipe.on(platform or _own_platform(recipe))


def _own_platform(recipe: EnvironmentSpec) -> PlatformName:
    try:
        own = host_platform()
    except PycomfyError:
        own = recipe.platforms[0]
    return own if own in recipe.platforms else recipe.platforms[0]


def _input_files(subject: _Subject, lost: list[str]) -> Iterator[tuple[str, bytes]]:
    """The files that the workflow reads, from the `input` folder beside the lock; versions do not record any."""
    workflow = subject.recipe.workflow
    if workflow is None:
        return
    names = [
        f.name for f in collect_requirements(parse_workflow(workflow, where=subject.label)).files if f.folder == "input"
    ]
    for name in dict.fromkeys(names):
        if subject.folder is None:
            lost.append(f"the input file {name}: versions record none")
            continue
        file = _find_below(subject.folder / INPUTS, name)
        if file is None:
            lost.append(f"the input file {name}: it is not in {subject.folder / INPUTS}")
        else:
            yield INPUTS + name, read_bounded(file, "input file")


def _find_below(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder; None for one that is not there, or elsewhere."""
    file = folder / name
    try:
        inside = file.resolve().is_relative_to(folder.resolve()) and ".." not in Path(name).parts
        return file if inside and file.is_file() else None
    except (OSError, ValueError):
        return None
