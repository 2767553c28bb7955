"""`run`: run one job in a version's image, save its outputs to a folder, and remove the container."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pycomfy import operation
from pycomfy.adapters.containers.arguments import ContainerSpec, Limits
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_folder import JobFolder, job_folder
from pycomfy.adapters.containers.job_outputs import check_output_folder
from pycomfy.adapters.containers.job_protocol import Error, JobReport, JobRequest, explain, run_job
from pycomfy.adapters.containers.layout import LayoutImage
from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.adapters.io import process
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.io.log_files import LogFile
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.models.mount import ModelView
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.errors import BadInput, Placeholder, PycomfyError, RunFailed, combine, raise_all, suggest_retry
from pycomfy.services.models.needed import explain_refused, view_models
from pycomfy.services.results import Result
from pycomfy.services.run.history import Given, find_run, record_run, repeat
from pycomfy.services.run.inputs import Arguments, fill_prompt
from pycomfy.services.run.job_progress import JobProgress
from pycomfy.services.run.outputs import OutputFile, save_outputs
from pycomfy.services.verification import provide_recorded
from pycomfy.services.versions.lookup import find_image, layout_of
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RunOptions:
    """How the container is run. `output` is the folder for the outputs; `models` is mounted read-only, "auto" means
    those that the version's lock pins; `gpus` is "all" or device numbers, None for the CPU; `network` is "none" or the
    engine's name of one; `limits` None stands for those of the workspace."""

    output: Path
    models: Path | Literal["auto"] | ModelView | None = None
    gpus: str | None = None
    network: str = "none"
    limits: Limits | None = None


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
    arguments, and `RunFailed` with every error that ComfyUI reported. However it ends, outputs that were made are
    saved, or it is reported where they are."""
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
    files: list[OutputFile] = []

    def outputs() -> tuple[Mapping[str, object], ...]:
        return tuple({**asdict(output), "path": str(output.path.absolute())} for output in files)

    try:
        result = run_image(workspace, engine, image, f"{record.name}@{record.version}", request, files)
    except BaseException as e:
        why = _for_the_record(e) if isinstance(e, PycomfyError) else "the run was ended"
        seconds = time.monotonic() - began
        with operation.shield():
            failed = Run(started_at, engine.kind, request.options.gpus, seconds, outputs(), error=why)
            _record(workspace, record, failed, given)
        raise
    values = tuple(map(asdict, result.values))
    done = Run(
        started_at, engine.kind, request.options.gpus, result.seconds, outputs(), values=values, device=result.device
    )
    _record(workspace, record, done, given)
    return result


def _for_the_record(error: PycomfyError) -> str:
    """Return what happened, and below it where. What fixes it is of use to the command that failed, not in a list."""
    return "\n".join(str(PycomfyError(one.what, where=one.where, details=one.details)) for one in flatten_errors(error))


def _record(workspace: Workspace, record: ImageRecord, done: Run, given: Given) -> None:
    """Record a run. Where that fails, as on a full disk, its outputs and its error are worth more: it is reported."""
    try:
        record_run(workspace, record, done, given)
    except (PycomfyError, OSError, ValueError) as e:
        # There may be no terminal any more.
        with contextlib.suppress(OSError, ValueError):
            operation.report(f"warning: the run could not be recorded: {e.what if isinstance(e, PycomfyError) else e}")


def run_image(
    workspace: Workspace,
    engine: Engine,
    image: LayoutImage,
    name: str,
    request: RunRequest,
    files: list[OutputFile] | None = None,
) -> RunResult:
    """Run a job in `image`, which is shown as `name`: a workflow's, or NAME@N for a version. `files` gets what was
    saved, also where this raises."""
    began = time.monotonic()
    options = request.options
    view = find_models(options.models)
    _check_output_folder(options.output)
    workflow, _, version = name.partition("@")
    started = provide_recorded(engine, image, workflow)
    log = workspace.log_file(f"run-{name}")
    report, files = JobReport(), [] if files is None else files
    # SIGTERM and SIGHUP unwind, as Ctrl-C does, until all is saved.
    with process.signals_as_exceptions(), _new_job(workspace, log.stem) as job:
        if request.inputs is not None:
            request.inputs.rename(job.path / "input")
        limits = workspace.limits if options.limits is None else options.limits
        spec = ContainerSpec(started, ("job",), job.path, gpus=options.gpus, network=options.network, limits=limits)
        if view is not None:
            spec = replace(spec, models=view.folder, model_files=view.files)
        try:
            with LogFile(log) as file, JobProgress(file) as progress:
                run_job(engine, spec, request.job, report, progress)
        except BaseException as e:
            _save_in_spite(e, report, job, options.output, files)
            raise
        saved = save_outputs(report, job, options.output)
        files.extend(saved.files)
    problems = [_explain(workspace, e, str(log), name) for e in report.errors]
    if problems:
        saved.report()
    raise_all([*problems, *saved.problems])
    return RunResult(
        name=workflow,
        version=int(version) if version else None,
        outputs=saved.files,
        values=tuple(OutputValue(v.node, v.title, v.kind, v.value) for v in report.values),
        engine=engine.kind,
        device=report.device,
        seconds=time.monotonic() - began,
        ready_seconds=progress.ready_seconds,
        prompt_seconds=(report.seconds or 0.0) - progress.ready_seconds,
    )


def _explain(workspace: Workspace, error: Error, log: str, name: str) -> PycomfyError:
    """Return the error for a person. That ComfyUI does not know a file is told as a model that is missing, if the
    version needs it."""
    told = explain(error, log, name)
    if error.type != "value_not_in_list":
        return told
    with contextlib.suppress(PycomfyError):  # of a workflow that is no version here
        if (refused := explain_refused(workspace, name, error.details)) is not None:
            return RunFailed(refused[0], where=told.where, details=told.what, fix=refused[1])
    return told


def _save_in_spite(
    error: BaseException, report: JobReport, job: JobFolder, folder: Path, files: list[OutputFile]
) -> None:
    """Save what was made before the job was ended by `error`, and report where it is."""
    with operation.shield():
        saved = save_outputs(report, job, folder)
    files.extend(saved.files)
    # There may be no terminal any more.
    with contextlib.suppress(OSError, ValueError):
        saved.report()
    if saved.problems and isinstance(error, PycomfyError):
        raise combine([error, *saved.problems]) from error


def _new_job(workspace: Workspace, name: str) -> contextlib.AbstractContextManager[JobFolder]:
    paths = workspace.paths

    def tell(folder: Path) -> None:
        operation.report(f"note: outputs of a job whose pycomfy was killed are in {folder}")

    return job_folder(paths.jobs, paths.unsaved, name, tell)


def _check_output_folder(folder: Path) -> None:
    try:
        check_output_folder(folder)
    except PycomfyError as e:
        e.fixes = (suggest_retry("run", "a folder that can be written", output=Placeholder("DIR")), *e.fixes)
        raise


@contextlib.contextmanager
def _job_folder(workspace: Workspace) -> Iterator[Path]:
    """A new folder, which is removed afterwards."""
    with temporary_folder(workspace.paths.jobs, "job-") as folder:
        yield folder


def find_models(models: Path | Literal["auto"] | ModelView | None) -> ModelView | None:
    """Return what is mounted as /models. Raises `BadInput` for a folder that is not there."""
    if not isinstance(models, Path):
        return models if isinstance(models, ModelView) else None
    if not models.is_dir():
        fix = suggest_retry("run", "the folder with the models", models=Placeholder("DIR"))
        raise BadInput("no such folder", where=str(models), fix=fix)
    return ModelView(models)
