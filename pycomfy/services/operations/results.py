"""What is shown of an operation: its state, its result, and the events that it reports while it runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pycomfy.adapters.database.records import OperationRecord, OperationState
from pycomfy.adapters.operations.folder import OperationFolder, Position
from pycomfy.core.loose_json import as_mapping
from pycomfy.services.results import Result

MAX_LINE = 10_000
"""Characters of a line that are shown."""

MAX_EVENTS = 2000
"""Events that are sent at once."""


class OperationEntry(Result):
    """An operation. `created_by` is the user who started it, "" for the owner. `workflow` is the workflow's name,
    `arguments` what it was started with, `command` the words of the same command line. `result` is what its command
    printed as JSON, `error` the error that ended it; both are None while it runs, and in a list. Times are UTC, as in
    2025-12-05T09:30:00.123Z."""

    id: str
    kind: str
    workflow: str
    arguments: dict[str, Any]
    state: OperationState
    created_at: str
    created_by: str = ""
    started_at: str | None
    finished_at: str | None
    exit_status: int | None
    command: tuple[str, ...] = ()
    result: Any | None = None
    error: dict[str, Any] | None = None


class OperationEvent(Result):
    """One line of what an operation reported; `seq` numbers them from 1. `begin`, `progress` and `end` are of a `step`,
    `remark` and `text` are lines to read."""

    seq: int
    event: Literal["begin", "progress", "end", "remark", "text"]
    at: int | None = None
    step: int | None = None
    title: str | None = None
    unit: str | None = None
    count: int | None = None
    total: int | None = None
    note: str | None = None
    ok: bool | None = None
    text: str | None = None


def describe_operation(record: OperationRecord, result: object = None, command: Sequence[str] = ()) -> OperationEntry:
    """Return an operation; `result` is what its `command` printed."""
    printed = as_mapping(result)
    failed = "error" in printed and isinstance(printed["error"], dict)
    return OperationEntry(
        id=record.key,
        kind=record.kind,
        workflow=record.workflow,
        arguments=dict(record.arguments),
        state=record.state,
        created_at=record.created_at,
        created_by=record.created_by,
        started_at=record.started_at,
        finished_at=record.finished_at,
        exit_status=record.exit_status,
        command=tuple(word for word in command if word != "--json"),
        result=None if failed else result,
        error=dict(as_mapping(printed["error"])) if failed else None,
    )


def read_events(folder: OperationFolder, position: Position) -> tuple[list[OperationEvent], Position]:
    """Return the next events, at most `MAX_EVENTS`, and where they end."""
    lines, end = folder.read_lines(position, MAX_EVENTS)
    return [_parse(position.lines + at, line) for at, line in enumerate(lines, start=1)], end


def _parse(seq: int, line: str) -> OperationEvent:
    """What no event is, such as the text of an error, is shown as a line."""
    try:
        value: Mapping[str, Any] = as_mapping(json.loads(line))
        return OperationEvent.model_validate({**value, "seq": seq}) if "event" in value else _text(seq, line)
    except (ValueError, RecursionError):
        return _text(seq, line)


def _text(seq: int, line: str) -> OperationEvent:
    return OperationEvent(seq=seq, event="text", text=line[:MAX_LINE])
