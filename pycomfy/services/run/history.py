"""Record runs, list them, and find what one was given, to run it again."""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.database.entries import Run
from pycomfy.adapters.database.records import ImageRecord, OutputRow, RunRecord
from pycomfy.adapters.versions.lookup import explain_unknown
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import BadInput, NotFound, Placeholder, suggest, suggest_retry
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

MAX_VALUE = 1 << 16
"""Characters of a node's value, as JSON, that are recorded; a longer one is not."""


@dataclass(frozen=True)
class Given:
    """The values of inputs that a run was given, and the paths of those that are files, None for standard input."""

    values: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)


class RunOutput(Result):
    """A file that a run saved, and whether there still `exists` one of that size."""

    path: str
    size: int
    sha256: str
    exists: bool


class RunEntry(Result):
    """A run of a version; `run` is its number. `started_at` is UTC, as in 2025-12-05T09:30:00Z. `device` is None where
    ComfyUI did not start, and for runs of older versions of pycomfy. `inputs` are the values that were given, `files`
    the paths of those that are files, None for standard input. `values` are what nodes returned besides files."""

    run: int
    name: str
    version: int
    started_at: str
    engine: str
    gpus: str | None
    device: str | None
    seconds: float
    inputs: dict[str, Any]
    files: dict[str, str | None]
    outputs: tuple[RunOutput, ...]
    values: tuple[dict[str, Any], ...]
    error: str | None


def record_run(workspace: Workspace, image: ImageRecord, run: Run, given: Given) -> None:
    """Record a run of an image, with what it was given."""
    values = tuple(value if len(json.dumps(value)) <= MAX_VALUE else {**value, "value": None} for value in run.values)
    with workspace.open_database() as database:
        database.record_run(image, replace(run, inputs=given.values, files=given.files, values=values))


def list_runs(workspace: Workspace, name: str | None = None) -> list[RunEntry]:
    """Return every run, or those of one workflow, newest first. Raises `NotFound` for an unknown workflow."""
    found: list[RunRecord] = []
    if database_path(workspace.paths).exists():
        with workspace.open_database() as database:
            found = database.runs(name)
    if not found and name is not None and name not in (names := workspace.versions.names()):
        raise explain_unknown(name, names, workspace.versions.bare)
    return [_make_entry(record) for record in found]


def find_run(workspace: Workspace, name: str, number: int) -> RunEntry:
    """Return the run of a workflow with that number. Raises `NotFound`."""
    for entry in list_runs(workspace, name):
        if entry.run == number:
            return entry
    fix = suggest("log", "lists them", name=name, runs=True)
    raise NotFound(f"no run {number} of {name}", where="the recorded runs", fix=fix)


def repeat(entry: RunEntry, reference: Reference, given: Collection[str] = ()) -> tuple[Reference, dict[str, object]]:
    """Return the version and the values for a run like an earlier one; `reference` may name another version. Raises
    `BadInput` if an input was read from standard input, and is not `given` anew."""
    lost = [name for name, path in entry.files.items() if path is None and name not in given]
    if lost:
        raise BadInput(
            f"run {entry.run} read {', '.join(lost)} from standard input, which is not kept",
            where=f"{entry.name}@{entry.version}",
            fix=suggest_retry("run", inputs=Placeholder(f"{lost[0]}=FILE")),
        )
    plain = reference.version is None and reference.revision is None
    return Reference(entry.name, entry.version) if plain else reference, {**entry.inputs, **entry.files}


def _make_entry(record: RunRecord) -> RunEntry:
    return RunEntry(
        run=record.id,
        name=record.name,
        version=record.version,
        started_at=record.started_at,
        engine=record.engine,
        gpus=record.gpus,
        device=record.device,
        seconds=record.seconds,
        inputs=dict(record.inputs),
        files=dict(record.files),
        outputs=tuple(map(_make_output, record.outputs)),
        values=tuple(map(dict, record.values)),
        error=record.error,
    )


def _make_output(output: OutputRow) -> RunOutput:
    try:
        exists = os.stat(output.path).st_size == output.size  # noqa: PTH116  (that of Path refuses some names)
    except (OSError, ValueError):
        exists = False
    return RunOutput(path=output.path, size=output.size, sha256=output.sha256, exists=exists)
