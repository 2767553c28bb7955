"""`/v1/jobs`: named, typed inputs and outputs."""

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from ...assets.model import AssetError
from ...graph.interface import FILE_TYPES, Interface, find_values, set_values
from ...graph.missing_files import is_there
from ...jobs.model import TERMINAL, Job, JobRequest, Webhook
from ...jobs.model import State as JobState
from ...jobs.store import JobFilter, KeyReuse
from ..access import Authenticated
from ..direct import DirectRoute
from ..problem import FILE_WORDS, ApiProblem
from ..state import Gateway, State
from ..submission import Submission, file_folders, find_missing, submit, word_missing
from ..v2.jobs import find_job
from . import model
from .inputs import Intake
from .render import render_job
from .responses import ERRORS, SUBMIT_ERRORS, json_response

MAX_WAIT = 60.0

CURSOR = {"errors": [{"parameter": "cursor", "detail": "not a cursor of this list", "code": "invalid_cursor"}]}

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
Wait = Annotated[float, Query(ge=0, le=MAX_WAIT, description="seconds to wait for the end of the job")]

_PREFERRED_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})")


def make_router(interface: Interface, models: model.TypedModels) -> APIRouter:
    """The routes of one workflow."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=DirectRoute)
    job_answer: dict[int | str, dict[str, Any]] = {200: {"model": models.job, "description": "The job is done."}}

    @router.post(
        "",
        status_code=202,
        response_model=models.job,
        responses={**SUBMIT_ERRORS, **job_answer},
        operation_id="createJob",
    )
    async def create_job(
        body: models.request,  # type: ignore[name-defined]
        request: Request,
        gateway: State,
        caller: Authenticated,
        key: Key = None,
        prefer: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """Queue a job. `Prefer: wait=N` waits up to N seconds for its end; the job goes on if the connection drops."""
        wanted = await plan_job(Intake(gateway, interface, caller), body, body.inputs)
        wanted = wanted.model_copy(
            update={
                "idempotency_key": key,
                "fingerprint": hashlib.sha256(body.model_dump_json(exclude_unset=True).encode()).hexdigest(),
                "traceparent": request.headers.get("traceparent"),
            }
        )
        try:
            [job] = await submit(gateway, [Submission(wanted, trusted=True)])
        except KeyReuse as e:
            job = repeat(e, wanted)
        job = await wait_for(gateway, job, read_wait(prefer))
        answer = await render_job(gateway, models, interface, request, job)
        applied = {"Preference-Applied": f"wait={round(read_wait(prefer))}"} if read_wait(prefer) else {}
        headers = {"Location": f"/v1/jobs/{job.id}", **applied}
        return json_response(answer, 200 if job.is_terminal else 202, headers)

    @router.get("", response_model=models.job_list, responses=ERRORS, operation_id="listJobs")
    async def list_jobs(
        request: Request,
        gateway: State,
        caller: Authenticated,
        status: Annotated[list[JobState], Query()] = [],  # noqa: B006  FastAPI copies it
        batch: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=500)] = None,
    ) -> Response:
        """Jobs of the caller, newest first."""
        wanted = JobFilter(caller.name, frozenset(status), batch)
        try:
            page = await gateway.store.find(wanted, limit=limit, cursor=cursor)
        except ValueError as e:
            raise ApiProblem(422, "invalid_cursor", "the cursor is none of this list", details=CURSOR) from e
        jobs = [await render_job(gateway, models, interface, request, job) for job in page.jobs]
        return json_response(models.job_list(jobs=jobs, next_cursor=page.cursor))

    @router.get("/{id}", response_model=models.job, responses=ERRORS, operation_id="getJob")
    async def get_job(
        id: str,  # noqa: A002
        request: Request,
        gateway: State,
        caller: Authenticated,
        wait: Wait = 0,
    ) -> Response:
        """The job as it is; with `wait`, as it is at its end or after that time."""
        job = await wait_for(gateway, await find_job(gateway, caller, id), wait)
        return json_response(await render_job(gateway, models, interface, request, job))

    @router.post("/{id}/cancel", response_model=models.job, responses=ERRORS, operation_id="cancelJob")
    async def cancel_job(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
        """Ask for the end of a job; a job that is over stays as it is."""
        job = await gateway.cancel(await find_job(gateway, caller, id))
        return json_response(await render_job(gateway, models, interface, request, job))

    return router


async def plan_job(intake: Intake, body: Any, inputs: BaseModel) -> JobRequest:
    """The job of a request's body, with these inputs. Raises `ApiProblem`."""
    graph = intake.gateway.project.graph
    if graph is None:
        raise ApiProblem(422, "no_workflow", "this image has no graph of its own")
    webhook = _plan_webhook(intake.gateway, body.webhook)
    taken = await intake.take(inputs)
    filled = set_values(graph, intake.interface, taken.values)
    await _require_files(intake, filled)
    return JobRequest(
        graph=filled,
        inputs=taken.reported,
        owner=intake.caller.name,
        timeout=body.timeout,
        metadata=body.metadata,
        webhook=webhook,
        options=body.options.model_dump(exclude_none=True),
    )


async def _require_files(intake: Intake, graph: dict[str, Any]) -> None:
    """Refuse a job without a file that its workflow needs. Raises `ApiProblem` that names the inputs."""
    folders = file_folders(intake.gateway)
    named = find_values(graph, (p for p in intake.interface.parameters if p.type in FILE_TYPES)).values()
    if any(isinstance(name, str) and not is_there(name, folders) for name in named):
        await intake.wait_for_node_types()
    names = {(t.node, t.input): p.name for p in intake.interface.parameters for t in p.targets}
    entries: dict[str, dict[str, Any]] = {}
    for file in find_missing(intake.gateway, graph):
        name = names.get((file.node, file.input))
        about = {"node": file.node, "input": file.input, "code": "missing_asset"}
        if name is None:
            place = f"node {file.node}, {file.input}"
            message = f"{place}: {word_missing(file.name)}, and no input takes one: put it into /data/input"
            entries[place] = {**about, "pointer": None, "detail": message}
        else:
            message = f"{name}: {word_missing(file.name)}: give one with each job, as {FILE_WORDS}"
            entries.setdefault(f" {name}", {**about, "pointer": f"/inputs/{name}", "detail": message})
    if entries:
        first = next(iter(entries.values()))["detail"]
        more = f"; and {len(entries) - 1} more, in errors" if len(entries) > 1 else ""
        raise ApiProblem(422, "missing_asset", first + more, details={"errors": list(entries.values())})


def _plan_webhook(gateway: Gateway, webhook: model.Webhook | None) -> Webhook | None:
    if webhook is None:
        return None
    if not gateway.settings.webhook_secret:
        message = "webhooks are not sent: this gateway has no PYCOMFY_WEBHOOK_SECRET to sign them with"
        raise ApiProblem(422, "webhooks_disabled", message, pointer="/webhook")
    try:
        gateway.outside.parse(webhook.url)
    except AssetError as e:
        raise ApiProblem(422, "invalid_request", f"webhook: {e}", pointer="/webhook/url") from e
    return Webhook(url=webhook.url, events=tuple(webhook.events))


def repeat(reuse: KeyReuse, wanted: JobRequest) -> Job:
    """The job of the first request with this key, if this one is the same. Raises `ApiProblem`."""
    if reuse.job is None:
        raise ApiProblem(422, "idempotency_key_reuse", "this Idempotency-Key was used for a job that is over")
    if reuse.fingerprint != wanted.fingerprint:
        raise ApiProblem(422, "idempotency_key_reuse", "this Idempotency-Key was used with another request")
    return reuse.job


def read_wait(prefer: str | None) -> float:
    """The seconds of `Prefer: wait=N`, at most `MAX_WAIT`; 0 without."""
    found = _PREFERRED_WAIT.search(prefer or "")
    return min(float(found[1]), MAX_WAIT) if found else 0.0


async def wait_for(gateway: Gateway, job: Job, seconds: float) -> Job:
    """The job at its end, or after that time."""
    if seconds <= 0 or job.is_terminal:
        return job
    await gateway.wait_until_over(job.id, seconds)
    return await gateway.store.get(job.id) or job


def count_states(jobs: Sequence[Job]) -> dict[JobState, int]:
    counts: dict[JobState, int] = {}
    for job in jobs:
        counts[job.state] = counts.get(job.state, 0) + 1
    return counts


def all_over(jobs: Sequence[Job]) -> bool:
    return all(job.state in TERMINAL for job in jobs)
