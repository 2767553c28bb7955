"""`/api/v2/jobs`."""

import re
import uuid
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from ...jobs.model import Job as KeptJob
from ...jobs.model import JobRequest
from ...jobs.store import JobFilter, KeyReuse
from ..access import Authenticated, Caller
from ..direct import DirectRoute
from ..problem import ApiProblem, not_found
from ..state import Gateway, State
from ..submission import Submission, submit
from . import model
from .events import stream_events
from .render import render_job, render_summary
from .responses import ERRORS, QUEUE_ERRORS, STREAM_ERRORS, json_response

router = APIRouter(prefix="/api/v2/jobs", tags=["jobs"], route_class=DirectRoute)

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]

_LABEL_FILTER = re.compile(r"metadata\[(.{1,64})\]", re.DOTALL)


async def find_job(gateway: Gateway, caller: Caller, job: str) -> KeptJob:
    """The caller's own job. Raises `ApiProblem`: a job of somebody else is none."""
    try:
        name = str(uuid.UUID(job))
    except ValueError:
        raise not_found("job") from None
    found = await gateway.store.get(name)
    if found is None or found.request.owner != caller.name:
        raise not_found("job")
    return found


@router.post("", status_code=201, response_model=model.Job, responses=QUEUE_ERRORS, operation_id="postJobs")
async def post_job(
    body: model.JobSubmission, request: Request, gateway: State, caller: Authenticated, key: Key = None
) -> Response:
    """Accept an API-format graph; 201 means that the job is durably queued."""
    wanted = JobRequest(
        graph=body.workflow,
        owner=caller.name,
        idempotency_key=key,
        metadata=body.metadata,
        traceparent=request.headers.get("traceparent"),
    )
    secrets = body.extra_data.model_dump(exclude_none=True) if body.extra_data is not None else {}
    try:
        [job] = await submit(gateway, [Submission(wanted, secrets)])
    except KeyReuse as e:
        message = "this Idempotency-Key was used before"
        # Those without a key are many: a job's id is what lets one of them at it.
        details = {"job_id": e.job.id} if e.job and caller.known else None
        raise ApiProblem(422, "idempotency_key_reuse", message, details=details) from e
    return json_response(await render_job(gateway, request, job), 201)


@router.get(
    "",
    response_model=model.JobList,
    response_model_exclude_none=True,
    responses=ERRORS,
    operation_id="listJobs",
)
async def list_jobs(
    request: Request,
    gateway: State,
    caller: Authenticated,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Jobs of the caller, newest first; `metadata[KEY]=VALUE` selects those with that label."""
    labels = {}
    for name, value in request.query_params.multi_items():
        if found := _LABEL_FILTER.fullmatch(name):
            labels[found[1]] = value
    try:
        page = await gateway.store.find(JobFilter(caller.name, metadata=labels), limit=limit, cursor=cursor)
    except ValueError as e:
        raise ApiProblem(422, "invalid_cursor", "the cursor is none of this list") from e
    answer = model.JobList(jobs=[render_summary(job) for job in page.jobs], next_cursor=page.cursor)
    return json_response(answer, exclude_none=True)


@router.get("/{id}", response_model=model.Job, responses=ERRORS, operation_id="getJob")
async def get_job(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """The authoritative view of a job."""
    return json_response(await render_job(gateway, request, await find_job(gateway, caller, id)))


@router.get("/{id}/workflow", response_model=model.JobWorkflow, responses=ERRORS, operation_id="getJobWorkflow")
async def get_workflow(id: str, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """The graph that ran, without the secrets that came with it."""
    job = await find_job(gateway, caller, id)
    return json_response(model.JobWorkflow(workflow=job.request.graph))


@router.post("/{id}/cancel", response_model=model.Job, responses=ERRORS, operation_id="cancelJob")
async def cancel_job(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """Ask for the end of a job; a job that is over stays as it is."""
    job = await find_job(gateway, caller, id)
    changed = await gateway.cancel(job)
    return json_response(await render_job(gateway, request, changed))


@router.get("/{id}/events", responses=STREAM_ERRORS, operation_id="getJobEvents", response_class=StreamingResponse)
async def get_events(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """Live state as Server-Sent Events: status, progress, preview, output; it ends after the terminal status."""
    job = await find_job(gateway, caller, id)
    return stream_events(gateway, request, caller, job)
