"""Jobs as rows: how one is written, read and searched. All is done inside the caller's transaction."""

import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from heapq import merge
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json

from .model import Job, JobRequest, State
from .store import Counts, Delivery, JobFilter, Page, StoreUnavailable

MAX_DEPTH = 64
"""Lists and objects in one another, of what a node returned."""

_MOST_REMEMBERED = 64 << 10
"""Characters of a job's record and request that are read once for all who ask while nothing changes; longer ones would
fill the memory."""

_CURSOR = re.compile("[0-9a-f]{1,15}")
_JOB = "SELECT j.seq, j.record, r.request FROM jobs j JOIN requests r USING (seq)"


def write_request(request: JobRequest) -> str:
    """Raises `ValueError` for one that JSON cannot hold."""
    text = request.model_dump_json()
    # What could be written and not be read again would stop all jobs after it.
    from_json(text)
    return text


def insert(db: sqlite3.Connection, jobs: Sequence[Job], requests: Sequence[str]) -> None:
    """With their requests, each as `write_request` wrote it."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").fetchone()
    for seq, (job, text) in enumerate(zip(jobs, requests, strict=True), 1 + (row[0] if row else 0)):
        request = job.request
        db.execute(
            "INSERT INTO jobs (seq, id, owner, batch, affinity, state, attempt, place, created, deadline, record,"
            " bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(seq, job.id, request.owner, request.batch, request.affinity, job.state, job.attempt, seq),
                *(job.created_at.timestamp(), job.deadline_at and job.deadline_at.timestamp()),
                *(_record(job), len(text.encode())),
            ),
        )
        db.execute("INSERT INTO requests VALUES (?, ?)", (seq, text))
        if request.metadata:
            rows = [(seq, key, value) for key, value in request.metadata.items()]
            db.executemany("INSERT INTO metadata VALUES (?, ?, ?)", rows)


def update(db: sqlite3.Connection, job: Job) -> Job:
    """Write what changed, as the next revision, which is returned."""
    job = job.model_copy(update={"revision": job.revision + 1})
    webhook = job.request.webhook
    untold = job.is_terminal and webhook is not None and job.state in webhook.events
    db.execute(
        "UPDATE jobs SET state = ?, attempt = ?, expires = ?, untold = ?, record = ? WHERE id = ?",
        (job.state, job.attempt, job.expires_at.timestamp() if job.is_terminal else None, untold, _record(job), job.id),
    )
    return job


def load(db: sqlite3.Connection, job: str) -> Job | None:
    row = db.execute(f"{_JOB} WHERE j.id = ?", (job,)).fetchone()
    return None if row is None else _job(row)


def load_all(db: sqlite3.Connection, condition: str, *parameters: object) -> list[Job]:
    """`condition` is SQL, from WHERE on."""
    return [_job(row) for row in db.execute(f"{_JOB} {condition}", parameters)]


def remove(db: sqlite3.Connection, job: str) -> bool:
    row = db.execute("DELETE FROM jobs WHERE id = ? AND expires IS NOT NULL RETURNING seq", (job,)).fetchone()
    if row is None:
        return False
    db.execute("DELETE FROM requests WHERE seq = ?", row)
    db.execute("DELETE FROM metadata WHERE seq = ?", row)
    return True


def find_deliveries(db: sqlite3.Connection, limit: int) -> list[Delivery]:
    wanted = "SELECT id, tries, next_try FROM jobs WHERE untold = 1 ORDER BY next_try, seq LIMIT ?"  # NULL is first
    found = db.execute(wanted, (limit,))
    return [Delivery(job, tries, None if at is None else datetime.fromtimestamp(at, UTC)) for job, tries, at in found]


def keep_delivery(db: sqlite3.Connection, delivery: Delivery) -> None:
    at = delivery.next_try and delivery.next_try.timestamp()
    change = "UPDATE jobs SET tries = ?, next_try = ? WHERE id = ? AND untold = 1"
    db.execute(change, (delivery.tries, at, delivery.job))


def find(db: sqlite3.Connection, wanted: JobFilter, limit: int, cursor: str | None) -> Page:
    """Each state is searched along its index, so that a rare one is found as quickly as a frequent one."""
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise ValueError("no such cursor")
    limit = max(1, limit)
    before = 1 << 62 if cursor is None else int(cursor, 16)
    found = merge(*(_search(db, wanted, state, before, limit + 1) for state in wanted.states or [None]), reverse=True)
    numbers = [seq for seq, _ in zip(found, range(limit + 1), strict=False)]
    jobs = [_job(db.execute(f"{_JOB} WHERE seq = ?", (seq,)).fetchone()) for seq in numbers[:limit]]
    return Page(jobs, f"{numbers[limit - 1]:x}" if len(numbers) > limit else None)


def _search(db: sqlite3.Connection, wanted: JobFilter, state: State | None, before: int, limit: int) -> list[int]:
    """Metadata, if asked for, lead: what is rare there is found at once, what is frequent soon."""
    tables, conditions = "jobs j", ["j.seq < ?"]
    parameters: list[object] = [before]
    for number, (key, value) in enumerate(wanted.metadata.items()):
        if number == 0:
            tables = "metadata m CROSS JOIN jobs j USING (seq)"
            conditions = ["m.key = ? AND m.value = ? AND m.seq < ?"]
            parameters = [key, value, before]
        else:
            conditions.append("EXISTS (SELECT 1 FROM metadata o WHERE o.seq = j.seq AND o.key = ? AND o.value = ?)")
            parameters += [key, value]
    for column, wished in (("owner", wanted.owner), ("batch", wanted.batch), ("state", state)):
        if wished is not None:
            conditions.append(f"j.{column} = ?")
            parameters.append(wished)
    order = "m.seq" if wanted.metadata else "j.seq"
    sql = f"SELECT {order} FROM {tables} WHERE {' AND '.join(conditions)} ORDER BY {order} DESC LIMIT ?"  # noqa: S608
    return [row[0] for row in db.execute(sql, (*parameters, limit))]


def position(db: sqlite3.Connection, job: str) -> int | None:
    """As many of its own owner as are before it, and of each other owner as many turns as come before its own."""
    row = db.execute(
        "SELECT owner, place, turn FROM jobs JOIN owners USING (owner) WHERE id = ? AND state = 'queued'", (job,)
    ).fetchone()
    if row is None:
        return None
    owner, place, turn = row
    (before,) = db.execute(
        "SELECT count(*) FROM jobs WHERE owner = ? AND state = 'queued' AND place < ?", (owner, place)
    ).fetchone()
    (others,) = db.execute(
        "SELECT coalesce(sum(min(queued, ? + ((turn, owner) < (?, ?)))), 0) FROM owners"
        " WHERE queued > 0 AND owner <> ?",
        (before, turn, owner, owner),
    ).fetchone()
    return int(before + others)


def total(db: sqlite3.Connection, state: State) -> tuple[int, int]:
    """How many jobs are in that state, and the bytes of their requests."""
    row = db.execute("SELECT number, bytes FROM totals WHERE state = ?", (state,)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def counts(db: sqlite3.Connection, now: datetime) -> Counts:
    states: dict[State, int] = dict(db.execute("SELECT state, number FROM totals WHERE number > 0"))
    oldest = db.execute("SELECT created FROM jobs WHERE state = 'queued' ORDER BY seq LIMIT 1").fetchone()
    return Counts(states, max(0.0, now.timestamp() - oldest[0]) if oldest else 0.0)


def _job(row: tuple[int, str, str]) -> Job:
    seq, record, request = row
    parse = _parse_once if len(record) + len(request) <= _MOST_REMEMBERED else _parse
    try:
        return parse(record, request)
    except ValidationError as error:
        raise StoreUnavailable(f"the record of job number {seq} cannot be read: {error.errors()[0]['msg']}") from error


def _parse(record: str, request: str) -> Job:
    return Job.model_validate_json(f'{record[:-1]},"request":{request}}}', extra="ignore")


_parse_once = lru_cache(maxsize=32)(_parse)  # a job is never changed, so that all may have the same


def _record(job: Job) -> str:
    try:
        text = job.model_dump_json(exclude={"request"})
        from_json(text)
    except (PydanticSerializationError, ValueError):
        # What a node returned must not keep its job from ending, nor from being read again.
        outputs = tuple(output.model_copy(update={"value": _printable(output.value)}) for output in job.outputs)
        bare = _printable(job.model_copy(update={"outputs": ()}).model_dump(exclude={"request"}))
        bare["outputs"] = [_printable(output.model_dump()) for output in outputs]
        text = Job.model_validate({**bare, "request": job.request}).model_dump_json(exclude={"request"})
    return text


def _printable(value: Any, depth: int = 0) -> Any:
    """`value`, with question marks for halves of characters (surrogates), and texts for what JSON does not have, and
    for what is deeper than it can be read."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {_printable(key): _printable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item, depth + 1) for item in value]
    return value if value is None or isinstance(value, bool | int | float | datetime) else _printable(repr(value))
