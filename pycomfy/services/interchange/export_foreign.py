"""Export a version, or a lock, to another tool, in that tool's own format."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pycomfy.adapters.interchange.zip_package import write_zip
from pycomfy.adapters.io.atomic_files import check_replaceable, translate_disk_full, write_file
from pycomfy.core.interchange.format import Format, RenderTarget, ZipLayout
from pycomfy.core.interchange.from_lock import environment_from_lock, list_inputs
from pycomfy.core.interchange.model import ApiInput, EnvironmentSpec
from pycomfy.core.interface.model import parse_interface
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.versions.reference import Reference
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, NotFound, PycomfyError, suggest
from pycomfy.services.lock_request import LockRequest, read_bounded, read_config, read_lock
from pycomfy.services.project import host_platform
from pycomfy.services.results import Result
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.versions.target import find_lock, find_target
from pycomfy.services.workspace import Workspace

MAX_WORKFLOWS = 200
"""Files beside a lock that may be its workflow."""


@dataclass(frozen=True)
class ForeignExportRequest:
    """What to export: `reference` is a version, or the path of a lock, of its folder or of a workflow beside it (see
    `find_target`). `platform` is the one of the Python packages, by default this machine's; a format that holds those
    of every platform has all by default."""

    reference: str
    to: Path
    format: Format
    platform: PlatformName | None = None


class ForeignExport(Result):
    """The file that was written. `label` names what was exported, `size` is in bytes, `lost` lists all that the format
    cannot hold, `notes` what the user should know besides."""

    label: str
    file: Path
    format: str
    size: int
    lost: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Subject:
    """What is exported, and the folder that its input files are in, if it has one."""

    label: str
    environment: EnvironmentSpec
    folder: Path | None = None


def export_foreign(workspace: Workspace, request: ForeignExportRequest) -> ForeignExport:
    """Write the file `request.to` in one step. Raises `NotFound`, `BadInput`."""
    to, format_ = request.to, request.format
    with translate_disk_full(to):
        if to.is_dir():
            fix = suggest("retry", output=str(to / format_.filename))
            raise BadInput("a folder, not a file", where=str(to), fix=fix)
        check_replaceable(to)
    reference = request.reference
    target = find_target(workspace, reference)
    subject = _read_folder(target) if isinstance(target, Path) else _read_version(workspace, target)
    environment = _for_platform(subject, format_, request.platform)
    rendered = format_.render(environment, RenderTarget(subject.label, to.name))
    lost = [*environment.notes, *format_.list_unsupported(environment)]
    if isinstance(rendered.content, Mapping):
        inputs = dict(_input_files(subject, format_.zip_layout, lost))
        size = write_zip(to, {**rendered.content, **inputs})
    else:
        write_file(to, rendered.content)
        size = len(rendered.content)
    return ForeignExport(
        label=subject.label,
        file=to,
        format=format_.name,
        size=size,
        lost=(*lost, *rendered.lost),
        notes=rendered.notes,
    )


def _read_version(workspace: Workspace, reference: Reference) -> _Subject:
    stored = find_recorded_version(workspace, reference)
    environment = environment_from_lock(stored.lock)
    inputs: tuple[ApiInput, ...] = ()
    if "interface.json" in stored.files:
        text = stored.files["interface.json"].decode(errors="replace")
        inputs = tuple(list_inputs(parse_interface(text, where=f"interface.json of {stored.label}")))
    workflow, prompt = stored.files["workflow.json"], stored.files.get("prompt.json")
    return _Subject(stored.label, replace(environment, workflow=workflow, prompt=prompt, inputs=inputs))


def _read_folder(path: Path) -> _Subject:
    """Read a lock that need not have been built; its workflow is the file beside it with the hash that it names."""
    file = find_lock(path)
    lock = read_lock(file)
    environment, folder = environment_from_lock(lock), file.parent
    found = _find_workflow(folder, lock.workflow.sha256)
    if found is not None:
        path, workflow = found
        api = parse_workflow(workflow, where=str(folder)).format == "api"
        _, config = read_config(LockRequest(path))
        targets = ((name, *target.partition(".")[::2]) for name, target in config.inputs.items())
        inputs = tuple(ApiInput(name, node, input_) for name, node, input_ in targets)
        environment = replace(environment, workflow=workflow, prompt=workflow if api else None, inputs=inputs)
    return _Subject(str(file), environment, folder)


def _find_workflow(folder: Path, sha256: str) -> tuple[Path, bytes] | None:
    others = sorted(folder.glob("*.json"))[:MAX_WORKFLOWS]
    for file in (folder / "workflow.json", *others):
        try:
            data = read_bounded(file, "workflow")
        except (NotFound, BadInput):
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            return file, data
    return None


def _for_platform(subject: _Subject, format_: Format, platform: PlatformName | None) -> EnvironmentSpec:
    environment = subject.environment
    if platform is not None and platform not in environment.platforms:
        fix = tuple(suggest("retry", platform=p) for p in environment.platforms)
        raise BadInput(f"not locked for {platform}", where=subject.label, fix=fix)
    if platform is None and (format_.all_platforms or "packages" not in format_.parts):
        return environment
    return environment.on(platform or _default_platform(environment))


def _default_platform(environment: EnvironmentSpec) -> PlatformName:
    try:
        own = host_platform()
    except PycomfyError:
        own = environment.platforms[0]
    return own if own in environment.platforms else environment.platforms[0]


def _input_files(subject: _Subject, layout: ZipLayout | None, lost: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files that the workflow reads, by their paths in the zip file, from the folder `input` beside the lock;
    a recorded version has none."""
    workflow = subject.environment.workflow
    if workflow is None or layout is None:
        return
    requirements = collect_requirements(parse_workflow(workflow, where=subject.label))
    for name in dict.fromkeys(f.name for f in requirements.files if f.folder == "input"):
        if subject.folder is None:
            lost.append(f"the input file {name}: versions have no input files")
            continue
        folder = subject.folder / "input"
        file = _find_below(folder, name)
        if file is None:
            lost.append(f"the input file {name}: it is not in {folder}")
        else:
            yield layout.inputs + name, read_bounded(file, "input file")


def _find_below(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder; None for one that does not exist, or escapes the folder."""
    file = folder / name
    try:
        inside = file.resolve().is_relative_to(folder.resolve()) and ".." not in Path(name).parts
        return file if inside and file.is_file() else None
    except (OSError, ValueError):
        return None
