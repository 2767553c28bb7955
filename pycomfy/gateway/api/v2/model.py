"""The records of Comfy API v2, as its OpenAPI document names them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ...graph.values import check_values
from ...jobs.model import OutputType, State


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asset(_Model):
    id: str
    hash: str | None
    size_bytes: int
    content_type: str
    file_path: str | None = None
    created_new: bool | None = None
    created_at: datetime
    url: str
    url_expires_at: datetime
    expires_at: datetime | None = None
    job_id: str | None = None


class Progress(_Model):
    value: float = Field(ge=0, le=1)
    nodes_done: int
    nodes_total: int
    current_node: str | None = None
    current_node_class: str | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = None


class Output(_Model):
    node_id: str
    name: str
    type: OutputType
    content_type: str
    size_bytes: int
    id: str
    hash: str | None
    url: str
    url_expires_at: datetime
    job_id: str | None = None


class JobError(_Model):
    code: str
    message: str
    node_id: str | None = None
    class_type: str | None = None
    traceback: str | None = None


class JobUrls(_Model):
    self: str
    events: str
    cancel: str


class Job(_Model):
    id: str
    status: State
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime
    queue_position: int | None
    progress: Progress | None
    outputs: list[Output]
    error: JobError | None
    metrics: dict[str, int | None]
    metadata: dict[str, str]
    urls: JobUrls


class JobSummary(_Model):
    """A job in a list."""

    id: str
    status: State
    create_time: datetime
    update_time: datetime
    metadata: dict[str, str]


class JobList(_Model):
    """Newest first; without `next_cursor` it was the last page."""

    jobs: list[JobSummary]
    next_cursor: str | None = None


class JobWorkflow(_Model):
    workflow: dict[str, Any]
    format: Literal["save", "api"] = "api"


Label = Annotated[str, StringConstraints(min_length=1, max_length=64)]
LabelValue = Annotated[str, StringConstraints(max_length=512)]


class ExtraData(_Request):
    api_key_comfy_org: Annotated[str, StringConstraints(max_length=4096)] | None = None


class JobSubmission(_Request):
    """`workflow` is a graph in the API format, with `core/ASSET` objects in place of file names."""

    workflow: Annotated[dict[str, Any], AfterValidator(check_values)]
    extra_data: ExtraData | None = None
    metadata: Annotated[dict[Label, LabelValue], Field(max_length=16)] = Field(default_factory=dict)


class FromHash(_Request):
    hash: Annotated[str, StringConstraints(pattern=r"^blake3:[0-9a-f]{64}$")]
    file_path: Annotated[str, StringConstraints(max_length=1024)] | None = None
    tags: Annotated[list[Label], Field(max_length=32)] = Field(default_factory=list)
    expires_in: Annotated[int, Field(ge=60, le=604_800)] | None = None


class ErrorDetail(_Model):
    code: str
    message: str
    details: dict[str, Any] | None = None


class ErrorEnvelope(_Model):
    error: ErrorDetail
