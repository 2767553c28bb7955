"""What is read from the database: a row that does not fit is damaged (see `Connection.read`)."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, FiniteFloat
from pydantic_core import from_json

from pycomfy.core.lockfile.platforms import PlatformName

OperationState = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
"""`cancelled` on request; `interrupted` where its process ended without a result, such as by a crash."""


def _parse(text: object) -> object:
    """Return the value of a cell with JSON. pydantic is quicker, but refuses the names of files that are not UTF-8."""
    if not isinstance(text, str):
        raise ValueError("not JSON")
    with contextlib.suppress(ValueError):
        return from_json(text)
    try:
        return json.loads(text)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e


_FROM_JSON = BeforeValidator(_parse)


@dataclass(frozen=True)
class DescriptionRow:
    """What the versions repository said of an image, and what the columns have of that."""

    tree_id: str
    platform: str
    manifest_digest: str
    config_digest: str
    diff_ids: Annotated[list[str], _FROM_JSON]
    size_bytes: int
    description: Annotated[dict[str, object], _FROM_JSON]


@dataclass(frozen=True)
class OutputRow:
    """A file that a run saved; `size` in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class VersionRecord:
    """A version; `parent` is None for the first, `summary` says what changed from it. `manifest_digest` and `size`
    (bytes) are its newest image's, None if none was built. `created_at` is UTC, as in 2025-12-05T09:30:00Z. `problem`
    says why its files cannot be read; then `comfyui_version` and `lock_sha256` are ""."""

    name: str
    version: int
    commit: str
    parent: str | None
    message: str
    summary: Annotated[tuple[str, ...], _FROM_JSON]
    created_by: str
    created_at: str
    comfyui_version: str
    lock_sha256: str
    manifest_digest: str | None
    size: int | None
    problem: str | None = None


@dataclass(frozen=True)
class NewestRecord(VersionRecord):
    """The newest version of a workflow, which has so many `versions`."""

    versions: int = 0


@dataclass(frozen=True)
class ImageRecord:
    """A built image. `id` is the database's, digests are `sha256:…`, `size` is in bytes."""

    id: int
    name: str
    version: int
    platform: PlatformName
    layout: Path
    manifest_digest: str
    config_digest: str
    diff_ids: Annotated[tuple[str, ...], _FROM_JSON]
    size: int


@dataclass(frozen=True)
class ImageVersionRow:
    """A version, and an image that was built of its files."""

    name: str
    version: int
    created_at: str
    manifest_digest: str
    config_digest: str


@dataclass(frozen=True)
class RunRecord:
    """A run of a version's image, as `Run`; `started_at` is UTC, as in 2025-12-05T09:30:00Z."""

    id: int
    name: str
    version: int
    started_at: str
    engine: str
    gpus: str | None
    seconds: FiniteFloat
    outputs: Annotated[tuple[OutputRow, ...], _FROM_JSON]
    error: str | None
    inputs: Annotated[Mapping[str, object], _FROM_JSON]
    files: Annotated[Mapping[str, str | None], _FROM_JSON]
    values: Annotated[tuple[Mapping[str, object], ...], _FROM_JSON]
    device: str | None


@dataclass(frozen=True)
class OperationCountRow:
    """How many operations of a kind are in a state."""

    kind: str
    state: str
    number: int


@dataclass(frozen=True)
class VersionCountRow:
    """How many workflows there are, and how many versions."""

    workflows: int
    versions: int


@dataclass(frozen=True)
class OperationRecord:
    """An operation of the server; `key` names its folder, `created_by` is the user who started it. Times are UTC, as in
    2025-12-05T09:30:00.123Z."""

    key: str
    kind: str
    workflow: str
    arguments: Annotated[dict[str, object], _FROM_JSON]
    state: OperationState
    created_at: str
    started_at: str | None
    finished_at: str | None
    exit_status: int | None
    created_by: str = ""
