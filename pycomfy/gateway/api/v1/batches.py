"""`/v1/batches`: many jobs at once, of a list of inputs or of a sweep."""

import itertools
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from ...graph.interface import Interface
from ...jobs.model import Job
from ...jobs.store import JobFilter
from ..access import Authenticated
from ..direct import DirectRoute
from ..invalid import explain_errors
from ..problem import ApiProblem, not_found
from ..state import Gateway, State
from ..submission import Submission, submit
from . import model
from .inputs import Intake
from .jobs import all_over, count_states, plan_job
from .render import render_job
from .responses import ERRORS, SUBMIT_ERRORS, json_response

MAX_JOBS = 1000


def make_router(interface: Interface, models: model.TypedModels) -> APIRouter:
    """The routes of one workflow."""
    router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=DirectRoute)

    async def answer(gateway: Gateway, request: Request, batch: str, jobs: Sequence[Job], status: int) -> Response:
        own = f"/v1/batches/{batch}"
        rendered = [await render_job(gateway, models, interface, request, job) for job in jobs]
        body = models.batch(
            id=batch,
            counts=count_states(jobs),
            done=all_over(jobs),
            jobs=rendered,
            urls={"self": own, "cancel": f"{own}/cancel"},
        )
        return json_response(body, status, {"Location": own} if status == 202 else None)

    @router.post("", status_code=202, response_model=models.batch, responses=SUBMIT_ERRORS, operation_id="createBatch")
    async def create_batch(
        body: models.batch_request,  # type: ignore[name-defined]
        request: Request,
        gateway: State,
        caller: Authenticated,
    ) -> Response:
        """Queue a job for each of `inputs`, times each combination of `sweep`; all or none are accepted."""
        batch = str(uuid.uuid4())
        names = [parameter.name for parameter in interface.parameters]
        sets = [_check(models, names, index, values) for index, values in enumerate(_combine(body))]
        intake = Intake(gateway, interface, caller)
        wanted, size = [], 0
        for index, inputs in enumerate(sets):
            try:
                wanted.append(await plan_job(intake, body, inputs))
            except ApiProblem as e:
                raise _find_place(e, body, index, len(sets)) from e
            size += len(wanted[-1].model_dump_json())
            if size > 2 * gateway.settings.max_body:
                message = f"the jobs of a batch have at most {2 * gateway.settings.max_body} bytes together"
                raise ApiProblem(422, "batch_too_large", message, pointer="/sweep")
        traceparent = request.headers.get("traceparent")
        labelled = [job.model_copy(update={"batch": batch, "traceparent": traceparent}) for job in wanted]
        jobs = await submit(gateway, [Submission(job, trusted=True) for job in labelled])
        return await answer(gateway, request, batch, jobs, 202)

    @router.get("/{id}", response_model=models.batch, responses=ERRORS, operation_id="getBatch")
    async def get_batch(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
        """The jobs of a batch, in their order."""
        return await answer(gateway, request, id, await find_batch(gateway, caller.name, id), 200)

    @router.post("/{id}/cancel", response_model=models.batch, responses=ERRORS, operation_id="cancelBatch")
    async def cancel_batch(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
        """Ask for the end of all its jobs that are not over."""
        jobs = [await gateway.cancel(job) for job in await find_batch(gateway, caller.name, id)]
        return await answer(gateway, request, id, jobs, 200)

    return router


async def find_batch(gateway: Gateway, owner: str, batch: str) -> list[Job]:
    """Its jobs in their order. Raises `ApiProblem` where there are none."""
    jobs: list[Job] = []
    cursor = None
    while True:
        page = await gateway.store.find(JobFilter(owner, batch=batch), limit=200, cursor=cursor)
        jobs += page.jobs
        cursor = page.cursor
        if cursor is None or len(jobs) > MAX_JOBS:
            break
    if not jobs:
        raise not_found("batch")
    return jobs[::-1]


def _check(models: model.TypedModels, names: Sequence[str], index: int, values: Mapping[str, Any]) -> Any:
    try:
        return models.inputs.model_validate(values)
    except ValidationError as e:
        # Each of `inputs` was checked before: it is a value of the sweep.
        found = [{**error, "loc": ("body", "sweep", *error["loc"])} for error in e.errors(include_url=False)]
        entries = explain_errors(found, {"sweep": values}, names)
        first = entries[0]
        name = str(first["pointer"]).removeprefix("/sweep/")
        message = f"job {index}: {name}: {first['detail']}"
        raise ApiProblem(422, "invalid_request", message, details={"errors": entries}) from e


def _find_place(problem: ApiProblem, body: Any, index: int, count: int) -> ApiProblem:
    """The problem of one job of `count`, with pointers into the batch's body."""

    def move(pointer: str | None) -> str | None:
        if pointer is None or not pointer.startswith("/inputs/"):
            return pointer
        name = pointer.removeprefix("/inputs/")
        # What is not given at all can be given to all jobs at once.
        if not body.inputs or name in body.sweep:
            return f"/sweep/{name}"
        return f"/inputs/{index * len(body.inputs) // count}/{name}"

    if move(problem.pointer) != problem.pointer or problem.details:
        problem.message = f"job {index}: {problem.message}"
    problem.pointer = move(problem.pointer)
    errors = [{**e, "pointer": move(e.get("pointer"))} for e in (problem.details or {}).get("errors", ())]
    if errors:
        problem.details = {**(problem.details or {}), "errors": errors}
    return problem


def _combine(body: Any) -> Iterator[dict[str, Any]]:
    """The inputs of each job. Raises `ApiProblem` for too many."""
    axes = {name: _values(name, axis) for name, axis in body.sweep.items()}
    count = max(len(body.inputs), 1)
    for values in axes.values():
        count *= len(values)
    count = count if body.inputs or axes else 0
    if not 0 < count <= MAX_JOBS:
        message = f"a batch has 1 to {MAX_JOBS} jobs, this one {count}"
        raise ApiProblem(422, "batch_too_large", message, pointer="/sweep" if axes else "/inputs")
    base = [model_.model_dump(by_alias=True, exclude_unset=True) for model_ in body.inputs] or [{}]
    for inputs, combination in itertools.product(base, itertools.product(*axes.values())):
        yield {**inputs, **dict(zip(axes, combination, strict=True))}


def _values(name: str, axis: Any) -> list[Any]:
    if not isinstance(axis, model.Sweep):
        return list(axis)
    start, stop, step = axis.start, axis.stop, axis.step
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        steps: float = (stop - start) // step  # exact, however many digits a seed has
    else:
        try:
            steps = (float(stop) - float(start)) / float(step) + 1e-9
        except OverflowError:
            steps = math.inf
    if not 0 <= steps < MAX_JOBS:  # infinity, too
        message = f"a range has 1 to {MAX_JOBS} values"
        raise ApiProblem(422, "batch_too_large", message, pointer=f"/sweep/{_escape(name)}")
    values = [start + i * step for i in range(int(steps) + 1)]
    return [int(value) if isinstance(value, int) or value.is_integer() else round(value, 12) for value in values]


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
