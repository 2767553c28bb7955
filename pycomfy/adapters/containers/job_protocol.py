"""Run a job in a container: write the request, read the runtime's events, typed.

A node pack can write into the runtime's output: events are read as what a stranger says. Each is bounded, all of them
are, and one that is malformed is counted and costs nothing else.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.process import KILLED, ContainerTimeout, LineLimit, run_container
from pycomfy.core.lockfile.lock_types import Sha256, stays_below
from pycomfy.core.sentences import join_lines, shorten
from pycomfy.core.versions.verification import ImportFailure, what_to_add
from pycomfy.core.workflow.untrusted_json import MAX_DEPTH, is_deeper_than
from pycomfy.errors import Fixes, Placeholder, PycomfyError, RunFailed, suggest, suggest_retry

OVERTIME = 120.0
"""Seconds that the container gets beyond the job's own limit before it is ended."""

MAX_LINE = 1 << 20
"""Bytes of an event; of a longer line nothing is read."""

MAX_TEXT, MAX_NAME = 64 << 10, 4096
"""Characters of a text, and of a name, in an event; of longer ones the first are kept."""

MAX_OUTPUTS, MAX_ERRORS = 100_000, 100
"""Events of each kind that are kept of a job."""

MAX_VALUES = 16 << 20
"""Bytes of all values that are kept of a job, as JSON."""

MAX_NUMBER = 2**53


def _text(value: object, limit: int) -> object:
    """Cut a text, and replace halves of surrogate pairs, which cannot be printed or written."""
    return value[:limit].encode(errors="replace").decode() if isinstance(value, str) else value


def _job_path(value: object) -> str:
    """A path below the job's folder, as a node named the file: a prefix of a workflow from Windows has backslashes, a
    title may have anything, and a name that is not UTF-8 has surrogates. Whoever opens it checks that it is a file
    there."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or "\0" in value or "//" in value:
        raise ValueError("not a path below the job's folder")
    if value.startswith("/") or value.endswith("/"):
        raise ValueError("not the path of a file below the job's folder")
    return stays_below(value)


def _value(value: object) -> object:
    """The value as JSON has it, without halves of surrogate pairs."""
    if is_deeper_than(value, MAX_DEPTH):
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode(errors="replace"))


Text = Annotated[str, BeforeValidator(lambda v: _text(v, MAX_TEXT))]
Name = Annotated[str, BeforeValidator(lambda v: _text(v, MAX_NAME))]
Seconds = Annotated[float, Field(ge=0, le=MAX_NUMBER, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
JobPath = Annotated[str, PlainValidator(_job_path)]
MediaType = Annotated[Name, AfterValidator(lambda v: v if re.fullmatch(r"[\w.+-]+/[\w.+-]+", v, re.ASCII) else UNKNOWN)]

UNKNOWN = "application/octet-stream"


class _Event(BaseModel):
    # Not "forbid": images are older and newer than the pycomfy that runs them.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Starting(_Event):
    event: Literal["starting"]
    device: Name


class Log(_Event):
    event: Literal["log"]
    line: Text


class ImportFailed(_Event):
    event: Literal["import-failure"]
    pack: Name
    message: Text
    traceback: Text = ""


class Ready(_Event):
    event: Literal["ready"]
    seconds: Seconds


class Executing(_Event):
    """Node number `index` of `of` nodes begins."""

    event: Literal["executing"]
    node: Name
    title: Name
    class_type: Name = ""
    index: Count
    of: Count


class Advance(_Event):
    event: Literal["progress"]
    node: Name
    title: Name
    step: Seconds
    of: Seconds


class Output(_Event):
    """A file below /data. `path` is None if a node named it and it does not exist. `node` is None if the file is in the
    output folder and no node named it."""

    event: Literal["output"]
    node: Name | None
    title: Name | None = None
    kind: Name
    file: Name
    subfolder: Name = ""
    type: Name
    path: JobPath | None
    media_type: MediaType
    sha256: Sha256 | None = None
    size: Count | None = None


class Value(_Event):
    """A small value that a node returned, not a file."""

    event: Literal["value"]
    node: Name
    title: Name | None = None
    kind: Name
    value: Annotated[Any, AfterValidator(_value)]


class Error(_Event):
    event: Literal["error"]
    type: Name
    message: Text
    node: Name | None = None
    title: Name | None = None
    class_type: Name | None = None
    details: Text = ""
    traceback: Text = ""
    log: Text = ""


class Unfinished(_Event):
    """A file that was being written when the job was ended."""

    event: Literal["unfinished"]
    path: JobPath


class Done(_Event):
    event: Literal["done"]
    outputs: Count
    seconds: Seconds


Event = Starting | Log | ImportFailed | Ready | Executing | Advance | Output | Value | Error | Unfinished | Done
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
_KNOWN = frozenset(
    {"starting", "log", "import-failure", "ready", "executing", "progress", "output", "value", "error", "done"}
    | {"unfinished"}
)

_ENDED_EARLY = frozenset({"timeout", "stopped", "comfyui-exited", "out-of-memory", "lost", "start-timeout"})
"""Types of errors after which ComfyUI was ended, or had ended, in the middle of its work."""


class BadEvent(ValueError):
    """A line that is not an event; the text says why."""


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
    """What a job returned; `seconds` since the container's start, None if the job did not end. `unfinished` are paths
    of files that were being written. `ignored` counts the lines that were not events, or more than are kept;
    `ignored_because` says why the first one was. `failed_at` is the time of the first error, in seconds since 1970."""

    outputs: list[Output] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    unfinished: set[str] = field(default_factory=set)
    device: str = ""
    seconds: float | None = None
    ignored: int = 0
    ignored_because: str = ""
    failed_at: float | None = None
    _value_bytes: int = 0

    @property
    def ended_early(self) -> bool:
        """Whether the job was ended, or died, in the middle of its work."""
        return self.seconds is None and (not self.errors or any(e.type in _ENDED_EARLY for e in self.errors))

    def add(self, event: Event) -> None:
        """Keep what an event says."""
        match event:
            case Output():
                if self._has_room("outputs", len(self.outputs), MAX_OUTPUTS):
                    self.outputs.append(event)
            case Value():
                self._value_bytes += len(json.dumps(event.value))
                if self._has_room("bytes of values", self._value_bytes, MAX_VALUES):
                    self.values.append(event)
            case Error():
                self.failed_at = self.failed_at or time.time()
                if self._has_room("errors", len(self.errors), MAX_ERRORS):
                    self.errors.append(event)
            case Unfinished() if len(self.unfinished) < MAX_OUTPUTS:
                self.unfinished.add(event.path)
            case Starting():
                self.device = event.device
            case Done():
                self.seconds = event.seconds

    def read(self, line: bytes) -> Event | None:
        """Keep what a line of the runtime says, and return its event; None for one that is not taken."""
        try:
            event = parse_event(line)
        except BadEvent as e:
            self.ignore(str(e))
            return None
        if event is not None:
            self.add(event)
        return event

    def ignore(self, why: str) -> None:
        """Count a line that is not taken."""
        self.ignored += 1
        self.ignored_because = self.ignored_because or why

    def _has_room(self, what: str, count: int, limit: int) -> bool:
        if count >= limit:
            self.ignore(f"more than {limit} {what}")
        return count < limit


def parse_event(line: bytes) -> Event | None:
    """Parse a line of the runtime; None for an event that this pycomfy does not know. Raises `BadEvent` for anything
    else."""
    try:
        raw = json.loads(line)
        if isinstance(raw, dict) and isinstance(raw.get("event"), str) and raw["event"] not in _KNOWN:
            return None
        return _EVENTS.validate_python(raw)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise BadEvent(shorten(f"{at}: {first['msg']}")) from e
    except (ValueError, RecursionError, OverflowError) as e:
        raise BadEvent(f"not JSON: {line[:100].decode('utf-8', 'replace')}") from e


def run_job(
    engine: Engine, spec: ContainerSpec, request: JobRequest, report: JobReport, on_event: Callable[[Event], None]
) -> None:
    """Run the job to its end, whether it succeeds or not: see `report.errors`. What it returned is in `report`, also
    when this raises: `RunFailed` if the container cannot be started, or ends without a result; `NoSpace`."""

    def handle(line: bytes) -> None:
        if (event := report.read(line)) is not None:
            on_event(event)

    def skip() -> None:
        report.ignore(f"a line of more than {MAX_LINE >> 20} MiB")

    limit = None if request.timeout is None else request.timeout + OVERTIME
    lines = LineLimit(MAX_LINE, skip)
    try:
        ended = run_container(engine, spec, request.line(), handle, limit, line_limit=lines)
    except ContainerTimeout as e:
        e.fixes = (_MORE_TIME,)
        raise
    if report.seconds is None and not report.errors:
        memory = ended.out_of_memory or ended.status == KILLED
        why = ": its memory was used up" if ended.out_of_memory else ": mostly its memory was used up" if memory else ""
        likely = [MORE_MEMORY] if memory else []
        likely += [_MORE_PROCESSES] if any(words in ended.errors for words in _NO_PROCESS) else []
        raise RunFailed(
            f"the container ended with status {ended.status} and without a result{why}",
            details=ended.errors[-1500:],
            fix=(*likely, "see the lines above"),
        )


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
    text = f"{error.message} {error.details} {error.traceback[-4000:]}"
    if error.type == "out-of-memory" or (error.type == "comfyui-exited" and "was killed" in error.message):
        fix = (MORE_MEMORY, see_log)
    elif "No space left on device" in text:
        fix = (*_MORE_ROOM, see_log)
    elif any(words in text for words in _NO_PROCESS):
        fix = (_MORE_PROCESSES, see_log)
    if lacking := what_to_add([ImportFailure("", error.message, error.traceback)]):
        fix = (*(f"write into pycomfy.toml, and lock and build again: {line}" for line in lacking), see_log)
    if error.type == "value_not_in_list":
        fix = (suggest("models status", "if it is a model", target=version), *_OTHER_VALUE)
    return RunFailed(join_lines(what), where=where, details=tail, fix=fix)


MORE_MEMORY = suggest_retry("run", "if its limit is the cause", memory=Placeholder("SIZE"))
_MORE_PROCESSES = suggest_retry("run", "the limit of processes and threads", pids=Placeholder("N"))
_NO_PROCESS = ("can't start new thread", "Resource temporarily unavailable", "Cannot fork")
_MORE_ROOM = (
    suggest_retry("run", "if it is a file in /tmp", tmp=Placeholder("SIZE")),
    "if it is a file in /data, free some space on the disk of the data folder, or set PYCOMFY_HOME to a larger one",
)
_MORE_TIME = suggest_retry("run", timeout=Placeholder("SECONDS"))
_OTHER_VALUE = (suggest_retry("run", "if the model is there", models=Placeholder("FOLDER")), "correct the workflow")
_FIXES: Mapping[str, Fixes] = {
    "invalid_prompt": "the image has no such node: build it again with the node's pack",
    "missing_node_type": "the image has no such node: build it again with the node's pack",
    "prompt_no_outputs": "add a node that saves or shows something",
    "timeout": _MORE_TIME,
}
