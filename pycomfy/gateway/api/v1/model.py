"""The records of the typed face. Those that depend on the workflow are made of its interface."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, WithJsonSchema, create_model

from ...graph.interface import Interface, inputs_model
from ...jobs.model import OutputType, State


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(max_length=512)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class FileFromUrl(_Request):
    """A file that is fetched: only from public addresses, and only with these bytes if `sha256` is given."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=4096)]
    sha256: Sha256 | None = None


FILE_TEXT = "The id of an uploaded file, an https address, or a data URI (`data:image/png;base64,…`)."

FileInput = Annotated[
    Annotated[str, StringConstraints(min_length=1), Field(description=FILE_TEXT)] | FileFromUrl,
    Field(json_schema_extra={"x-file": True}),
]
"""The id of an uploaded file, an https address, or a data URI."""


class Webhook(_Request):
    """Where the end of a job is told, signed as in Standard Webhooks 1.0."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=4096)]
    events: Annotated[
        list[Literal["succeeded", "failed", "canceled", "expired"]], Field(min_length=1, max_length=4)
    ] = [
        "succeeded",
        "failed",
        "canceled",
        "expired",
    ]


class Options(_Request):
    """`format`: images are converted to it, and the originals are kept, too. `quality` is for jpeg and webp."""

    format: Literal["png", "jpeg", "webp"] | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None


class Progress(_Model):
    """A whole snapshot; `value` is between 0 and 1."""

    value: float = Field(ge=0, le=1)
    nodes_done: int
    nodes_total: int
    current_node: str | None = None
    current_node_class: str | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = None


class OutputFile(_Model):
    """Something that a node returned, as the file at `url`. `value` is there for texts and small values."""

    id: str
    name: str
    node: str
    key: str = Field(description="the key below which the node returned it, such as images")
    type: OutputType
    content_type: str
    size: int
    hash: str | None
    url: str
    value: JsonValue = None
    stored_at: str | None = Field(None, description="where it was put, if this deployment has a storage")


class JobError(_Model):
    """Why a job failed: the node of the graph, and its input where a value was wrong; `parameter` is the name of that
    input here, if it has one."""

    code: str
    message: str
    parameter: str | None = None
    node: str | None = None
    input: str | None = None
    class_type: str | None = None
    traceback: str | None = None


class Timings(_Model):
    """In seconds."""

    queued: float | None
    running: float | None


class Image(_Model):
    """What ran: the workflow's name, its version and the image's digest, as far as its starter told."""

    name: str
    version: str | None = None
    digest: str | None = None


class Urls(_Model):
    self: str
    events: str
    websocket: str
    cancel: str
    v2: str


class ProblemEntry(BaseModel):
    """One thing that is wrong: at a place in the body, in a parameter of the request, or at a node of the graph."""

    pointer: str | None = Field(None, description="JSON Pointer into the body of the request")
    parameter: str | None = Field(None, description="name of a parameter of the path or query, or of a header")
    node: str | None = Field(None, description="id of a node of the graph")
    input: str | None = Field(None, description="input of that node")
    detail: str
    code: str


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="stable, for programs")
    errors: list[ProblemEntry]


_Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
"""A whole number stays one: a seed may have more digits than a float."""


class Sweep(_Request):
    """From `start` to `stop`, both included, in steps of `step`."""

    start: _Number
    stop: _Number
    step: Annotated[int | float, Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})] = 1


class FileRecord(_Model):
    """An uploaded file: its id is the value of an input."""

    id: str
    name: str | None
    content_type: str
    size: int
    hash: str
    url: str
    created_at: datetime
    expires_at: datetime | None


class Workflow(_Model):
    """What this image runs: the graph in the API format, the workflow in the editor's, the interface and the lock."""

    name: str
    graph: dict[str, Any] | None
    workflow: dict[str, Any] | None
    interface: dict[str, Any] | None
    lock: dict[str, Any]


class InterfaceView(_Model):
    """What a form is made of. `nodes` are the titles of the graph's nodes, by id."""

    name: str
    interface: Interface
    nodes: dict[str, str]
    image: Image


@dataclass(frozen=True)
class TypedModels:
    """The models of one workflow. `inputs` are the values by name, `request` the body of a job, `job` its record."""

    inputs: type[BaseModel]
    request: type[BaseModel]
    job: type[BaseModel]
    job_list: type[BaseModel]
    batch_request: type[BaseModel]
    batch: type[BaseModel]


def make_inputs(interface: Interface) -> type[BaseModel]:
    """The values by name. Raises `BadInterface`."""
    return inputs_model(interface, "Inputs", files=FileInput, seeds=True)


def make_models(interface: Interface) -> TypedModels:
    """Raises `BadInterface`."""
    inputs = make_inputs(interface)
    common: dict[str, Any] = {
        "webhook": (Webhook | None, None),
        "metadata": (Annotated[dict[Label, Text], Field(max_length=16)], Field(default_factory=dict)),
        "timeout": (
            Annotated[float, Field(gt=0, le=604_800)] | None,
            Field(None, description="seconds after which the job expires, waiting included"),
        ),
        "options": (Options, Field(default_factory=Options)),
    }
    strict = ConfigDict(extra="forbid", frozen=True)
    request = create_model("JobRequest", __config__=strict, inputs=(inputs, Field(default_factory=inputs)), **common)
    outputs = create_model(
        "Outputs",
        **{
            f"o{i}": (list[OutputFile], Field(default_factory=list, alias=o.name, title=o.title or o.name))
            for i, o in enumerate(interface.outputs)
        },  # type: ignore[call-overload]
    )
    job = create_model(
        "Job",
        id=(str, ...),
        status=(State, ...),
        inputs=(dict[str, Any], Field(description="all inputs as they were used, drawn seeds included")),
        outputs=(outputs, Field(description="by name, as they come")),
        other_outputs=(list[OutputFile], Field(description="of nodes that are no named output")),
        progress=(Progress | None, ...),
        error=(JobError | None, ...),
        warnings=(list[str], ...),
        created_at=(datetime, ...),
        started_at=(datetime | None, ...),
        completed_at=(datetime | None, ...),
        expires_at=(datetime, ...),
        queue_position=(int | None, ...),
        attempt=(int, ...),
        batch=(str | None, ...),
        metadata=(dict[str, str], ...),
        timings=(Timings, ...),
        image=(Image, ...),
        urls=(Urls, ...),
    )
    job_list = create_model("JobList", jobs=(list[job], ...), next_cursor=(str | None, None))  # type: ignore[valid-type]
    axis = Union[list[JsonValue], Sweep]  # noqa: UP007  a value at run time
    batch_request = create_model(
        "BatchRequest",
        __config__=strict,
        inputs=(  # type: ignore[arg-type]
            Annotated[list[inputs], Field(max_length=1000)],  # type: ignore[valid-type]
            Field(default_factory=list, description="a job for each"),
        ),
        sweep=(
            Annotated[dict[Label, axis], Field(max_length=8)],
            Field(default_factory=dict, description="values by input, or ranges: a job for each combination"),
        ),
        **common,
    )
    batch = create_model(
        "Batch",
        id=(str, ...),
        counts=(dict[State, int], ...),
        done=(bool, ...),
        jobs=(list[job], ...),  # type: ignore[valid-type]
        urls=(dict[str, str], ...),
    )
    return TypedModels(inputs, request, job, job_list, batch_request, batch)
