"""`run`: one job in a version's image, its outputs in a folder, the container gone."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from pycomfy import operation
from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_outputs import save_result
from pycomfy.adapters.containers.job_protocol import (
    Advance,
    Done,
    Error,
    Event,
    Executing,
    ImportFailed,
    JobReport,
    JobRequest,
    Log,
    Output,
    Ready,
    Starting,
    explain,
    run_job,
)
from pycomfy.adapters.containers.load import LayoutImage
from pycomfy.adapters.database.records import ImageRecord, Run
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.models.mount import ModelView
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.errors import BadInput, PycomfyError, RunFailed, raise_all
from pycomfy.progress import Task
from pycomfy.services.models.needed import view_models
from pycomfy.services.run.inputs import Arguments, fill_prompt
from pycomfy.services.verification import load_recorded
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RunOptions:
    """How the container is run. `output` is where the outputs go; `models` is mounted read-only, "auto" are those that
    the version's lock pins; `gpus` is "all" or device numbers, None for the CPU; `network` "none" or the engine's name
    of one."""

    output: Path
    models: Path | Literal["auto"] | ModelView | None = None
    gpus: str | None = None
    network: str = "none"


@dataclass(frozen=True)
class RunRequest:
    """Run a version, by default with the image's own prompt. `arguments` are put into that. `inputs` is a folder that
    becomes ComfyUI's input folder, and is gone afterwards."""

    reference: str
    options: RunOptions
    job: JobRequest = field(default_factory=JobRequest)
    arguments: Arguments = field(default_factory=Arguments)
    inputs: Path | None = None


@dataclass(frozen=True)
class OutputFile:
    """A file that was saved; `node` and `title` are None for one that no node named."""

    node: str | None
    title: str | None
    kind: str
    path: Path
    media_type: str
    sha256: str
    size: int

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True)
class RunResult:
    """`values` are what nodes returned besides files: `{node, title, kind, value}`. `seconds` is the whole time,
    `ready_seconds` until ComfyUI answered, `prompt_seconds` from then on."""

    name: str
    version: int | None
    outputs: tuple[OutputFile, ...]
    values: tuple[Mapping[str, Any], ...]
    engine: str
    device: str
    seconds: float
    ready_seconds: float
    prompt_seconds: float


def run(workspace: Workspace, request: RunRequest) -> RunResult:
    """Run the version's image, and record that. Raises `NotFound` for an unknown version, `BadInput` for arguments that
    are wrong, and `RunFailed` with every error ComfyUI told of; outputs it made before are saved even then."""
    reference = parse_reference(request.reference)
    record = find_image(workspace, reference)
    if not request.arguments:
        return _run(workspace, request, record, {})
    with _job_folder(workspace) as folder:
        inputs = folder / "input"
        filled = fill_prompt(workspace, Reference(record.name, record.version), request.arguments, inputs)
        job = replace(request.job, prompt=filled.prompt, workflow=filled.workflow)
        request = replace(request, job=job, inputs=inputs if inputs.exists() else None)
        return _run(workspace, request, record, filled.values)


def _run(workspace: Workspace, request: RunRequest, record: ImageRecord, values: Mapping[str, object]) -> RunResult:
    engine = workspace.engine
    if request.options.models == "auto":
        found = view_models(workspace, Reference(record.name, record.version))
        request = replace(request, options=replace(request.options, models=found))
    image = LayoutImage(
        record.layout, record.manifest_digest, record.config_digest, (), record.diff_ids, record.platform, record.size
    )
    began = time.monotonic()
    try:
        result = run_image(workspace, engine, image, f"{record.name}@{record.version}", request)
    except PycomfyError as e:
        failed = Run(engine.kind, request.options.gpus, time.monotonic() - began, error=str(e), inputs=values)
        with workspace.open_database() as store:
            store.record_run(record, failed)
        raise
    outputs = tuple(o.as_dict() for o in result.outputs)
    done = Run(engine.kind, request.options.gpus, result.seconds, outputs, inputs=values)
    with workspace.open_database() as store:
        store.record_run(record, done)
    return result


def run_image(workspace: Workspace, engine: Engine, image: LayoutImage, name: str, request: RunRequest) -> RunResult:
    """Run a job in `image`, which is called `name` in what is shown."""
    began = time.monotonic()
    options = request.options
    view = _view(options)
    with operation.step(f"Load {name} into {engine.kind}") as task:
        identity = load_recorded(engine, image, name.partition("@")[0], task)
    log = workspace.paths.data / "logs" / f"run-{name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with _job_folder(workspace) as data:
        if request.inputs is not None:
            request.inputs.rename(data / "input")
        spec = ContainerSpec(identity, ("job",), data, gpus=options.gpus, network=options.network)
        if view is not None:
            spec = replace(spec, models=view.folder, model_files=view.files)
        with log.open("w", encoding="utf-8") as f, _Teller(f) as teller:
            report = run_job(engine, spec, request.job, teller)
        outputs = _save(report, data, options.output)
    raise_all([explain(e, str(log)) for e in report.errors])
    return RunResult(
        name.partition("@")[0],
        int(name.partition("@")[2]) if "@" in name else None,
        outputs,
        tuple({"node": v.node, "title": v.title, "kind": v.kind, "value": v.value} for v in report.values),
        engine.kind,
        report.device,
        time.monotonic() - began,
        teller.ready_seconds,
        (report.seconds or 0.0) - teller.ready_seconds,
    )


@contextlib.contextmanager
def _job_folder(workspace: Workspace) -> Iterator[Path]:
    """A new folder, which is gone afterwards."""
    with temporary_folder(workspace.paths.cache / "jobs", "job-") as folder:
        yield folder


def _view(options: RunOptions) -> ModelView | None:
    """What is mounted as /models."""
    if not isinstance(options.models, Path):
        return options.models if isinstance(options.models, ModelView) else None
    if not options.models.is_dir():
        raise BadInput("no such folder", where=str(options.models), fix="give --models the folder with the models")
    return ModelView(options.models)


def _save(report: JobReport, data: Path, folder: Path) -> tuple[OutputFile, ...]:
    saved = []
    for output in report.outputs:
        if output.path is None:
            operation.report(f"warning: node {output.node} named an output that is not there: {output.file}")
            continue
        file = save_result(data, output.path, folder, _name(output))
        saved.append(
            OutputFile(output.node, output.title, output.kind, file.path, output.media_type, file.sha256, file.size)
        )
    return tuple(saved)


def _name(output: Output) -> str:
    """ComfyUI's own name for what a node saved; for anything else also the node, since its name says nothing."""
    if output.type == "output":
        return f"{output.subfolder}/{output.file}"
    return f"{(output.title or output.node or output.type).replace('/', '_')}-{output.file}"


class _Teller:
    """Shows a job's events as steps: the start, then a step for each node. ComfyUI's log goes to `log`."""

    def __init__(self, log: IO[str]) -> None:
        self.ready_seconds = 0.0
        self._log = log
        self._step = contextlib.ExitStack()
        self._task: Task | None = None
        self._done = 0

    def __call__(self, event: Event) -> None:
        match event:
            case Starting():
                self._begin(f"Start ComfyUI on {'the CPU' if event.device == 'cpu' else 'the GPU'}")
            case Log():
                self._log.write(event.line + "\n")
            case ImportFailed():
                operation.report(f"warning: the node pack {event.pack} could not be imported: {event.message}")
            case Ready():
                self.ready_seconds = event.seconds
                self._end()
            case Executing():
                self._begin(f"[{event.index}/{event.of}] {event.title}")
            case Advance() if self._task is not None:
                self._task.total(int(event.of))
                self._task.advance(int(event.step) - self._done)
                self._done = int(event.step)
            case Error():
                # The step in which it happened ends as failed; what happened is told at the end.
                self._step.__exit__(RunFailed, RunFailed(event.message), None)
                self._task = None
            case Done():
                self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._step.__exit__(kind, error, trace)

    def _begin(self, title: str) -> None:
        self._end()
        self._done = 0
        self._task = self._step.enter_context(operation.step(title))

    def _end(self) -> None:
        self._step.close()
        self._task = None
