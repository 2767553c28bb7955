"""`run`: run one job in a version's image, save its outputs to a folder, and remove the container."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pycomfy import operation
from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_outputs import save_result
from pycomfy.adapters.containers.job_protocol import JobReport, JobRequest, Output, explain, run_job
from pycomfy.adapters.containers.load import LayoutImage
from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.models.mount import ModelView
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.errors import BadInput, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.services.models.needed import view_models
from pycomfy.services.results import Result
from pycomfy.services.run.history import Given, find_run, record_run, repeat
from pycomfy.services.run.inputs import Arguments, fill_prompt
from pycomfy.services.run.job_progress import JobProgress
from pycomfy.services.verification import load_recorded
from pycomfy.services.versions.lookup import find_image, layout_of
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RunOptions:
    """How the container is run. `output` is the folder for the outputs; `models` is mounted read-only, "auto" means
    those that the version's lock pins; `gpus` is "all" or device numbers, None for the CPU; `network` is "none" or the
    engine's name of one."""

    output: Path
    models: Path | Literal["auto"] | ModelView | None = None
    gpus: str | None = None
    network: str = "none"


@dataclass(frozen=True)
class RunRequest:
    """What to run: a version, by default with the image's own prompt, into which `arguments` are put. `inputs` is a
    folder that becomes ComfyUI's input folder, and is removed afterwards."""

    reference: str
    options: RunOptions
    job: JobRequest = field(default_factory=JobRequest)
    arguments: Arguments = field(default_factory=Arguments)
    inputs: Path | None = None


@dataclass(frozen=True)
class OutputFile:
    """A file that was saved; `node` and `title` are None for one that no node named. `size` is in bytes."""

    node: str | None
    title: str | None
    kind: str
    path: Path
    media_type: str
    sha256: str
    size: int


@dataclass(frozen=True)
class OutputValue:
    """What a node returned besides files."""

    node: str
    title: str | None
    kind: str
    value: Any


class RunResult(Result):
    """What a job returned. `seconds` is the whole time, `ready_seconds` that until ComfyUI answered, `prompt_seconds`
    that from then on."""

    name: str
    version: int | None
    outputs: tuple[OutputFile, ...]
    values: tuple[OutputValue, ...]
    engine: str
    device: str
    seconds: float
    ready_seconds: float
    prompt_seconds: float


def run(workspace: Workspace, request: RunRequest) -> RunResult:
    """Run the version's image, and record the run. Raises `NotFound` for an unknown version, `BadInput` for wrong
    arguments, and `RunFailed` with every error that ComfyUI reported; outputs it made before are saved even then."""
    record = find_image(workspace, parse_reference(request.reference))
    if not request.arguments:
        return _run(workspace, request, record, Given())
    with _job_folder(workspace) as folder:
        inputs = folder / "input"
        filled = fill_prompt(workspace, Reference(record.name, record.version), request.arguments, inputs)
        job = replace(request.job, prompt=filled.prompt, workflow=filled.workflow)
        request = replace(request, job=job, inputs=inputs if inputs.exists() else None)
        return _run(workspace, request, record, Given(filled.values, filled.files))


def like_run(workspace: Workspace, request: RunRequest, number: int) -> RunRequest:
    """Return the request for a run like an earlier one: of its version, unless the request names another, with its
    inputs, which those of the request override, and on its GPUs. Raises `NotFound`, `BadInput`."""
    reference = parse_reference(request.reference)
    entry = find_run(workspace, reference.name, number)
    reference, values = repeat(entry, reference, {*request.arguments.texts, *request.arguments.values})
    arguments = replace(request.arguments, values={**values, **request.arguments.values})
    options = replace(request.options, gpus=request.options.gpus or entry.gpus)
    return replace(request, reference=str(reference), arguments=arguments, options=options)


def _run(workspace: Workspace, request: RunRequest, record: ImageRecord, given: Given) -> RunResult:
    engine = workspace.engine
    if request.options.models == "auto":
        found = view_models(workspace, Reference(record.name, record.version))
        request = replace(request, options=replace(request.options, models=found))
    image = layout_of(record)
    started_at, began = workspace.clock(), time.monotonic()
    try:
        result = run_image(workspace, engine, image, f"{record.name}@{record.version}", request)
    except PycomfyError as e:
        failed = Run(started_at, engine.kind, request.options.gpus, time.monotonic() - began, error=str(e))
        record_run(workspace, record, failed, given)
        raise
    outputs = tuple({**asdict(output), "path": str(output.path.absolute())} for output in result.outputs)
    values = tuple(map(asdict, result.values))
    done = Run(
        started_at, engine.kind, request.options.gpus, result.seconds, outputs, values=values, device=result.device
    )
    record_run(workspace, record, done, given)
    return result


def run_image(workspace: Workspace, engine: Engine, image: LayoutImage, name: str, request: RunRequest) -> RunResult:
    """Run a job in `image`, which is shown as `name`: a workflow's, or NAME@N for a version."""
    began = time.monotonic()
    options = request.options
    view = _find_models(options)
    workflow, _, version = name.partition("@")
    with operation.step(f"Load {name} into {engine.kind}") as task:
        identity = load_recorded(engine, image, workflow, task)
    log = workspace.log_file(f"run-{name}")
    with _job_folder(workspace) as data:
        if request.inputs is not None:
            request.inputs.rename(data / "input")
        spec = ContainerSpec(identity, ("job",), data, gpus=options.gpus, network=options.network)
        if view is not None:
            spec = replace(spec, models=view.folder, model_files=view.files)
        with log.open("w", encoding="utf-8") as f, JobProgress(f) as progress:
            report = run_job(engine, spec, request.job, progress)
        outputs = _save(report, data, options.output)
    raise_all([explain(e, str(log), name) for e in report.errors])
    return RunResult(
        name=workflow,
        version=int(version) if version else None,
        outputs=outputs,
        values=tuple(OutputValue(v.node, v.title, v.kind, v.value) for v in report.values),
        engine=engine.kind,
        device=report.device,
        seconds=time.monotonic() - began,
        ready_seconds=progress.ready_seconds,
        prompt_seconds=(report.seconds or 0.0) - progress.ready_seconds,
    )


@contextlib.contextmanager
def _job_folder(workspace: Workspace) -> Iterator[Path]:
    """A new folder, which is removed afterwards."""
    with temporary_folder(workspace.paths.cache / "jobs", "job-") as folder:
        yield folder


def _find_models(options: RunOptions) -> ModelView | None:
    """What is mounted as /models."""
    if not isinstance(options.models, Path):
        return options.models if isinstance(options.models, ModelView) else None
    if not options.models.is_dir():
        fix = suggest("retry", "the folder with the models", models=Placeholder("DIR"))
        raise BadInput("no such folder", where=str(options.models), fix=fix)
    return ModelView(options.models)


def _save(report: JobReport, data: Path, folder: Path) -> tuple[OutputFile, ...]:
    saved = []
    for output in report.outputs:
        if output.path is None:
            operation.report(f"warning: node {output.node} named an output that does not exist: {output.file}")
            continue
        file = save_result(data, output.path, folder, _name(output))
        saved.append(
            OutputFile(output.node, output.title, output.kind, file.path, output.media_type, file.sha256, file.size)
        )
    return tuple(saved)


def _name(output: Output) -> str:
    """ComfyUI's own name for what a node saved; for a temporary file also the node, as its name says nothing."""
    if output.type == "output":
        return f"{output.subfolder}/{output.file}"
    return f"{(output.title or output.node or output.type).replace('/', '_')}-{output.file}"
