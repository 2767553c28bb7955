"""Records of ours, as the contract shows them."""

from datetime import timedelta
from typing import Any

from starlette.requests import HTTPConnection, Request

from ...assets.model import Asset as KeptAsset
from ...jobs.model import Job as KeptJob
from ...jobs.model import Output as KeptOutput
from ..state import Gateway
from . import model

URL_LIFE = timedelta(hours=1)
"""Content addresses do not expire here; clients are told to ask again after this time, as the contract wants it."""


def base_url(gateway: Gateway, request: HTTPConnection | None) -> str:
    """The address that clients use, without a path: as it is set, or as this client did."""
    if gateway.settings.public_url or request is None:
        return gateway.settings.public_url.rstrip("/")
    # A WebSocket's address begins with ws, where its links do not lead.
    scheme = request.scope["scheme"].replace("ws", "http")
    if host := request.headers.get("host"):  # Starlette takes ten times as long to say the same
        return f"{scheme}://{host}{request.scope.get('root_path', '').rstrip('/')}"
    return str(request.base_url.replace(scheme=scheme)).rstrip("/")


async def render_job(gateway: Gateway, request: Request, job: KeptJob) -> model.Job:
    base, own = base_url(gateway, request), f"/api/v2/jobs/{job.id}"
    position = await gateway.store.position(job.id) if job.state == "queued" else None
    progress = gateway.live.find_progress(job)
    error = job.error
    return model.Job(
        id=job.id,
        status=job.state,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        expires_at=job.expires_at,
        queue_position=position,
        progress=None if progress is None else model.Progress.model_validate(dict(progress)),
        outputs=[render_output(gateway, base, job.id, output) for output in job.outputs],
        error=None
        if error is None
        else model.JobError(
            code=error.code,
            message=error.message,
            node_id=error.node,
            class_type=error.class_type,
            traceback=error.traceback,
        ),
        metrics=_metrics(job),
        metadata=job.request.metadata,
        urls=model.JobUrls(self=own, events=f"{own}/events", cancel=f"{own}/cancel"),
    )


def _metrics(job: KeptJob) -> dict[str, int | None]:
    def between(start: Any, end: Any) -> int | None:
        return None if start is None or end is None else max(0, round((end - start).total_seconds() * 1000))

    return {
        "queue_ms": between(job.created_at, job.started_at),
        "execution_ms": between(job.started_at, job.completed_at),
    }


def render_output(gateway: Gateway, base: str, job: str, output: KeptOutput) -> model.Output:
    return model.Output(
        node_id=output.node,
        name=output.name,
        type=output.type,
        content_type=output.content_type,
        size_bytes=output.size,
        id=output.asset,
        hash=output.hash,
        url=f"{base}/api/v2/assets/{output.asset}/content",
        url_expires_at=gateway.clock() + URL_LIFE,
        job_id=job,
    )


def render_summary(job: KeptJob) -> model.JobSummary:
    updated = job.completed_at or job.started_at or job.created_at
    return model.JobSummary(
        id=job.id, status=job.state, create_time=job.created_at, update_time=updated, metadata=job.request.metadata
    )


def render_asset(gateway: Gateway, base: str, asset: KeptAsset, created_new: bool | None = None) -> model.Asset:
    return model.Asset(
        id=asset.id,
        hash=asset.hash,
        size_bytes=asset.size,
        content_type=asset.content_type,
        file_path=asset.file_path,
        created_new=created_new,
        created_at=asset.created_at,
        url=f"{base}/api/v2/assets/{asset.id}/content",
        url_expires_at=gateway.clock() + URL_LIFE,
        expires_at=asset.expires_at,
        job_id=asset.job,
    )
