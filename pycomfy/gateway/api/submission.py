"""From a request to jobs that are durably queued: the same checks for both faces."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..graph.affinity import find_affinity
from ..graph.assets import AssetProblem, check_references, list_assets
from ..graph.missing_files import MissingFile, find_missing_files
from ..graph.policy import EditorFormat, NodeProblem, find_problems
from ..jobs.model import Job, JobRequest
from ..jobs.store import BatchTooLarge, QueueFull, StoreFull, StoreUnavailable
from .problem import ApiProblem
from .state import Gateway

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """`secrets` go to ComfyUI's `extra_data`, and are never stored. `trusted`: the graph is the image's own, with
    values that were checked."""

    request: JobRequest
    secrets: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False


async def submit(gateway: Gateway, submissions: Sequence[Submission]) -> list[Job]:
    """Accept all or none. Raises `ApiProblem`, and `KeyReuse` for the face to answer."""
    if gateway.draining:
        raise ApiProblem(503, "unavailable", "this gateway is being stopped", retry_after=10)
    files = {asset for submission in submissions for asset in list_assets(submission.request.graph)}
    call = str(uuid.uuid4())
    gateway.assets.hold(call, files)
    try:
        for submission in submissions:
            await _check(gateway, submission)
        jobs = await _add(gateway, submissions)
        for job in jobs:
            if files:
                gateway.assets.hold(job.id, list_assets(job.request.graph))
                # It may have ended already, and then nobody else lets them go.
                if (now := await gateway.store.get(job.id)) is None or now.is_terminal:
                    gateway.assets.release(job.id)
            gateway.live.status(job)
    finally:
        gateway.assets.release(call)
    about = {"job": jobs[0].id} if len(jobs) == 1 else {"batch": jobs[0].request.batch}
    log.info("%d job%s accepted", len(jobs), "s" * (len(jobs) > 1), extra={**about, "caller": jobs[0].request.owner})
    return jobs


QUEUE_FULL = {
    "jobs": "as many jobs wait as may (PYCOMFY_MAX_QUEUED): try again in {} s",
    "jobs of the owner": "as many jobs of this key wait as may (PYCOMFY_MAX_QUEUED_BY_KEY): try again in {} s",
    "bytes": "the jobs that wait are as large as they may be (PYCOMFY_MAX_QUEUED_BYTES): try again in {} s",
}


async def _add(gateway: Gateway, submissions: Sequence[Submission]) -> list[Job]:
    """Raises as `submit` does. Secrets are there before the jobs are: one may start at once."""
    requests = [_complete(gateway, submission.request) for submission in submissions]
    for at, submission in enumerate(submissions):
        if submission.secrets:
            name = str(uuid.uuid4())
            requests[at] = requests[at].model_copy(update={"secret": name})
            gateway.dispatcher.secrets[name] = dict(submission.secrets)
    try:
        return await gateway.store.add(requests)
    except BaseException as e:
        for request in requests:
            gateway.dispatcher.secrets.pop(request.secret or "", None)
        raise _explain(e) from e


def _explain(error: BaseException) -> BaseException:
    """The answer for a job that was not accepted; other errors are as they are."""
    match error:
        case QueueFull():
            message = QUEUE_FULL[error.of].format(error.retry_after)
            return ApiProblem(429, "queue_full", message, retry_after=error.retry_after)
        case BatchTooLarge():
            return ApiProblem(422, "batch_too_large", str(error))
        case StoreFull():
            return ApiProblem(507, "storage_full", "there is no space left to record the job")
        case StoreUnavailable():
            return ApiProblem(503, "unavailable", "jobs cannot be recorded now", retry_after=10)
        case ValueError():
            return ApiProblem(422, "invalid_request", f"the job cannot be recorded: {str(error)[:200]}")
    return error


def _complete(gateway: Gateway, request: JobRequest) -> JobRequest:
    """With the deadline of this gateway, unless the request has an earlier one, and the models that it needs."""
    limit = gateway.settings.job_timeout
    timeout = limit if request.timeout is None else min(request.timeout, limit)
    return request.model_copy(update={"timeout": timeout, "affinity": find_affinity(request.graph)})


async def _check(gateway: Gateway, submission: Submission) -> None:
    request = submission.request
    if not submission.trusted:
        try:
            problems = find_problems(
                request.graph,
                policy=gateway.settings.graphs,
                own=gateway.project.graph,
                node_types=gateway.node_types,
            )
        except EditorFormat as e:
            message = 'this is a workflow in the editor\'s format: export it with "Export (API)"'
            raise ApiProblem(422, "workflow_format_ui", message) from e
        if problems:
            raise _refuse(problems)
    missing = await check_references(request.graph, gateway.assets, request.owner)
    if not submission.trusted:
        missing += [
            AssetProblem(file.node, file.input, f"{word_missing(file.name)}: bring it, as an asset")
            for file in find_missing(gateway, request.graph)
        ]
    if missing:
        raise _refuse_files(missing)


def find_missing(gateway: Gateway, graph: Mapping[str, Any]) -> list[MissingFile]:
    """The files that the graph names and that are not there; none while ComfyUI has not said what its nodes take."""
    if gateway.node_types is None:
        return []
    return find_missing_files(graph, gateway.node_types, file_folders(gateway))


def file_folders(gateway: Gateway) -> dict[str, Path]:
    """ComfyUI's folders that a name of a file may mean."""
    return {kind: gateway.data / kind for kind in ("input", "output")}


def word_missing(name: str) -> str:
    """What is wrong, for a message."""
    return f'there is no file "{name[:200]}" here' if name else "it has no file"


def _refuse_files(missing: list[AssetProblem]) -> ApiProblem:
    problems = [NodeProblem(m.node, m.input, "missing_asset", m.message) for m in missing]
    first = problems[0]
    message = f"node {first.node}, {first.field}: {first.message}"
    return ApiProblem(422, "missing_asset", message, details={"node_errors": _by_node(problems)}, node=first.node)


def _refuse(problems: list[NodeProblem]) -> ApiProblem:
    first = problems[0]
    where = f"node {first.node}: " if first.node and f"node {first.node}" not in first.message else ""
    details = {"node_errors": _by_node(problems)}
    return ApiProblem(422, "invalid_workflow", f"{where}{first.message}", details=details, node=first.node or None)


def _by_node(problems: Sequence[NodeProblem]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for problem in problems:
        entry = {"field": problem.field, "reason": problem.reason, "message": problem.message}
        found.setdefault(problem.node, []).append(entry)
    return found
