"""A job: one execution of a graph, from its acceptance to its one terminal state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "running", "canceling", "succeeded", "canceled", "failed", "expired"]
"""The states of Comfy API v2. `expired` is a job whose deadline passed before it was done."""

TERMINAL: frozenset[State] = frozenset(("succeeded", "canceled", "failed", "expired"))

TRANSITIONS: Mapping[State, frozenset[State]] = {
    # Back to queued: its worker died, and it may be tried again.
    "queued": frozenset(("running", "canceled", "expired", "failed")),
    "running": frozenset(("queued", "canceling", "succeeded", "failed", "expired")),
    "canceling": frozenset(("canceled", "succeeded", "failed", "expired")),
    **{state: frozenset[State]() for state in TERMINAL},
}

OutputType = Literal["image", "video", "audio", "text", "file", "latent"]


CONVERTED = "converted"
"""The folder of an output that the gateway made of another one."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(_Model):
    """One thing that a node returned; its bytes are the asset `asset`.

    `kind` is the key below which the node returned it, such as "images"; `name` its file name, `subfolder` and `folder`
    (output, temp, input or result) where ComfyUI had it, or `CONVERTED`. `output` is the name in the interface, None
    for other nodes.
    """

    node: str
    kind: str
    name: str
    subfolder: str = ""
    folder: str = "output"
    output: str | None = None
    type: OutputType
    content_type: str
    size: int
    asset: str
    hash: str | None = None
    """`blake3:<hex>`."""

    value: Any = None
    """What the node returned, where it is no file and small."""

    worker: str | None = None
    """The ComfyUI that made it."""

    stored: str | None = None
    """The address where it was put, if the deployment names a storage."""


class JobError(_Model):
    """Why a job failed. `input` is the node's input that had a wrong value, where that is known."""

    code: str
    message: str
    node: str | None = None
    class_type: str | None = None
    input: str | None = None
    traceback: str | None = None


class Webhook(_Model):
    url: str
    events: tuple[State, ...] = ("succeeded", "failed", "canceled", "expired")


class JobRequest(_Model):
    """What somebody asked for, after validation. Secrets are not in it: they are kept in memory only.

    `graph` is in the API format, with `core/ASSET` references; `inputs` are the values by name, given or drawn (seeds).
    `timeout` is in seconds from the acceptance. `affinity` groups jobs that use the same models.
    """

    graph: dict[str, Any]
    inputs: dict[str, Any] = Field(default_factory=dict)
    owner: str = ""
    timeout: float | None = None
    idempotency_key: str | None = None
    fingerprint: str | None = None
    """Hash of the request's body, to tell a repetition from another request of the same key."""

    batch: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    webhook: Webhook | None = None
    traceparent: str | None = None
    affinity: str = ""
    secret: str | None = None
    """The name of what came with it and must not be stored: it is in memory only, and does not survive a restart."""

    options: dict[str, Any] = Field(default_factory=dict)
    """How outputs are to be converted or stored."""


class Job(_Model):
    """A job as it is kept. Times are in UTC; `attempt` counts the starts, `revision` the changes of the record."""

    id: str
    request: JobRequest
    state: State = "queued"
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    deadline_at: datetime | None = None
    expires_at: datetime
    attempt: int = 0
    worker: str | None = None
    outputs: tuple[Output, ...] = ()
    error: JobError | None = None
    warnings: tuple[str, ...] = ()
    revision: int = 0

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL
