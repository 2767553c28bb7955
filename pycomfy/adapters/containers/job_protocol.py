"""Run a job in a container: write the request, read the runtime's events, typed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.process import ContainerTimeout, run_container
from pycomfy.core.lockfile.lock_types import Sha256, stays_below
from pycomfy.core.versions.verification import ImportFailure, what_to_add
from pycomfy.errors import Fixes, Placeholder, PycomfyError, RunFailed, suggest

OVERTIME = 120.0
"""Seconds that the container gets beyond the job's own limit before it is ended."""


class _Event(BaseModel):
    # Not "forbid": images are older and newer than the pycomfy that runs them.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Starting(_Event):
    event: Literal["starting"]
    device: str


class Log(_Event):
    event: Literal["log"]
    line: str


class ImportFailed(_Event):
    event: Literal["import-failure"]
    pack: str
    message: str
    traceback: str = ""


class Ready(_Event):
    event: Literal["ready"]
    seconds: float


class Executing(_Event):
    """Node number `index` of `of` nodes begins."""

    event: Literal["executing"]
    node: str
    title: str
    class_type: str = ""
    index: int
    of: int


class Advance(_Event):
    event: Literal["progress"]
    node: str
    title: str
    step: float
    of: float


JobPath = Annotated[
    str, StringConstraints(pattern=r"^[^/\x00]+(/[^/\x00]+)*$", max_length=4096), AfterValidator(stays_below)
]
"""A path below the job's folder, as a node named the file: a prefix of a workflow from Windows has backslashes, a title
may have anything. Whoever opens it checks that it is a file there."""


class Output(_Event):
    """A file below /data. `path` is None if a node named it and it does not exist. `node` is None if the file is in the
    output folder and no node named it."""

    event: Literal["output"]
    node: str | None
    title: str | None = None
    kind: str
    file: str
    subfolder: str = ""
    type: str
    path: JobPath | None
    media_type: str
    sha256: Sha256 | None = None
    size: int | None = None


class Value(_Event):
    """A small value that a node returned, not a file."""

    event: Literal["value"]
    node: str
    title: str | None = None
    kind: str
    value: Any


class Error(_Event):
    event: Literal["error"]
    type: str
    message: str
    node: str | None = None
    title: str | None = None
    class_type: str | None = None
    details: str = ""
    traceback: str = ""
    log: str = ""


class Done(_Event):
    event: Literal["done"]
    outputs: int
    seconds: float


Event = Starting | Log | ImportFailed | Ready | Executing | Advance | Output | Value | Error | Done
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
_KNOWN = {"starting", "log", "import-failure", "ready", "executing", "progress", "output", "value", "error", "done"}


@dataclass(frozen=True)
class JobRequest:
    """`prompt` None stands for the image's own. `timeout` in seconds, the start of ComfyUI included."""

    prompt: Mapping[str, Any] | None = None
    workflow: Mapping[str, Any] | None = None
    timeout: float | None = None

    def line(self) -> bytes:
        """Return the line that the runtime reads."""
        request = {"prompt": self.prompt, "workflow": self.workflow, "timeout": self.timeout}
        return json.dumps(request).encode() + b"\n"


@dataclass
class JobReport:
    """What a job returned; `seconds` since the container's start, None if the job did not end."""

    outputs: list[Output] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    device: str = ""
    seconds: float | None = None

    def add(self, event: Event) -> None:
        match event:
            case Output():
                self.outputs.append(event)
            case Value():
                self.values.append(event)
            case Error():
                self.errors.append(event)
            case Starting():
                self.device = event.device
            case Done():
                self.seconds = event.seconds


def parse_event(line: bytes) -> Event | None:
    """Parse a line of the runtime; None for an event that this pycomfy does not know. Raises `RunFailed` for anything
    else."""
    try:
        raw = json.loads(line)
        if isinstance(raw, dict) and isinstance(raw.get("event"), str) and raw["event"] not in _KNOWN:
            return None
        return _EVENTS.validate_python(raw)
    except (ValueError, RecursionError, ValidationError) as e:
        shown = line[:200].decode("utf-8", "replace")
        raise RunFailed(f"the image wrote something that is not an event: {shown}", fix="build the image again") from e


def run_job(engine: Engine, spec: ContainerSpec, request: JobRequest, on_event: Callable[[Event], None]) -> JobReport:
    """Run the job to its end, whether it succeeds or not: see `JobReport.errors`. Raises `RunFailed` if the container
    cannot be started, or ends without a result."""
    report = JobReport()

    def handle(line: bytes) -> None:
        event = parse_event(line)
        if event is not None:
            report.add(event)
            on_event(event)

    limit = None if request.timeout is None else request.timeout + OVERTIME
    try:
        ended = run_container(engine, spec, request.line(), handle, limit)
    except ContainerTimeout as e:
        e.fixes = (_MORE_TIME,)
        raise
    if report.seconds is None and not report.errors:
        raise RunFailed(
            f"the container ended with status {ended.status} and without a result",
            where=ended.errors[-1500:],
            fix="see the lines above; 137 is mostly a lack of memory",
        )
    return report


def explain(error: Error, log: str, version: str) -> PycomfyError:
    """Return the error for a person: which node, and what to do. `log` is the file of ComfyUI's whole log, `version`
    what was run: a version's label, or the name of a workflow."""
    what = error.message or error.type
    if error.details and error.details not in what:
        what = f"{what}: {error.details}"
    elif error.traceback:
        what = f"{error.type}: {what}"
    where = ""
    if error.node is not None:
        titled = f' "{error.title}"' if error.title and error.title != error.class_type else ""
        where = f"node {error.node}{titled}" + (f" ({error.class_type})" if error.class_type else "")
    tail = "\n".join((error.traceback or error.log).strip().splitlines()[-8:])
    see_log = f"see ComfyUI's whole log, in {log}"
    fix = _FIXES.get(error.type, see_log)
    if lacking := what_to_add([ImportFailure("", error.message, error.traceback)]):
        fix = (*(f"write into pycomfy.toml, and lock and build again: {line}" for line in lacking), see_log)
    if error.type == "value_not_in_list":
        fix = (suggest("models status", "if it is a model", target=version), *_OTHER_VALUE)
    return RunFailed(what, where="\n".join(part for part in (where, tail) if part), fix=fix)


_MORE_TIME = suggest("retry", timeout=Placeholder("SECONDS"))
_OTHER_VALUE = (suggest("retry", "if the model is there", models=Placeholder("FOLDER")), "correct the workflow")
_FIXES: Mapping[str, Fixes] = {
    "invalid_prompt": "the image has no such node: build it again with the node's pack",
    "missing_node_type": "the image has no such node: build it again with the node's pack",
    "prompt_no_outputs": "add a node that saves or shows something",
    "timeout": _MORE_TIME,
}
