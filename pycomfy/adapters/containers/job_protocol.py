"""A job in a container: the request goes in, what the image's runtime tells comes out, typed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.process import run_container
from pycomfy.core.lockfile.lock_types import RelativePath, Sha256
from pycomfy.errors import PycomfyError, RunFailed

OVERTIME = 120.0
"""Seconds the container gets beyond the job's own limit before it is ended from outside."""


class _Event(BaseModel):
    # Not "forbid": an image outlives the pycomfy that made it, and a later one may say more.
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
    """Node `index` of `of` begins."""

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


class Output(_Event):
    """A file below /data. `path` is None for one that a node named and that is not there. `node` is None for a file in
    the output folder that no node named."""

    event: Literal["output"]
    node: str | None
    title: str | None = None
    kind: str
    file: str
    subfolder: str = ""
    type: str
    path: RelativePath | None
    media_type: str
    sha256: Sha256 | None = None
    size: int | None = None


class Value(_Event):
    """Something small a node returned that is no file."""

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
    """`prompt` None is the image's own. `timeout` in seconds, the start of ComfyUI included."""

    prompt: Mapping[str, Any] | None = None
    workflow: Mapping[str, Any] | None = None
    timeout: float | None = None

    def line(self) -> bytes:
        """As the runtime reads it."""
        request = {"prompt": self.prompt, "workflow": self.workflow, "timeout": self.timeout}
        return json.dumps(request).encode() + b"\n"


@dataclass
class JobReport:
    """What a job returned; `seconds` from the container's start."""

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
    """One line of the runtime; None for an event this pycomfy does not know. Raises `RunFailed` for anything else."""
    try:
        raw = json.loads(line)
        if isinstance(raw, dict) and isinstance(raw.get("event"), str) and raw["event"] not in _KNOWN:
            return None
        return _EVENTS.validate_python(raw)
    except (ValueError, RecursionError, ValidationError) as e:
        said = line[:200].decode("utf-8", "replace")
        raise RunFailed(f"the image said something that is no event: {said}", fix="build the image again") from e


def run_job(engine: Engine, spec: ContainerSpec, request: JobRequest, on_event: Callable[[Event], None]) -> JobReport:
    """Run the job to its end, whether it succeeds or not: see `JobReport.errors`. Raises `RunFailed` if the container
    cannot be started, or ends without having said how the job went."""
    report = JobReport()

    def take(line: bytes) -> None:
        event = parse_event(line)
        if event is not None:
            report.add(event)
            on_event(event)

    limit = None if request.timeout is None else request.timeout + OVERTIME
    ended = run_container(engine, spec, request.line(), take, limit)
    if report.seconds is None and not report.errors:
        raise RunFailed(
            f"the container ended with status {ended.status}, and did not say why",
            where=ended.errors[-1500:],
            fix="137 is mostly a lack of memory; otherwise the lines above tell",
        )
    return report


def explain(error: Error, log: str) -> PycomfyError:
    """The error as a person needs it: which node, and what to do. `log` is where ComfyUI's whole log was written."""
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
    fix = _FIXES.get(error.type, f"ComfyUI's whole log is in {log}")
    return RunFailed(what, where="\n".join(part for part in (where, tail) if part), fix=fix)


_FIXES = {
    "value_not_in_list": "if it is a model, `pycomfy models status` tells of it, or give a folder with --models; "
    "else correct the workflow",
    "invalid_prompt": "the image has no such node: build it again with the node's pack",
    "missing_node_type": "the image has no such node: build it again with the node's pack",
    "prompt_no_outputs": "add a node that saves or shows something",
    "timeout": "give it more time with --timeout",
}
