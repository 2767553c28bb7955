"""Records of ours, as the typed face shows them."""

import os
from datetime import datetime
from typing import Any

from starlette.requests import HTTPConnection

from ...assets.model import Asset
from ...graph.interface import Interface, Target, find_values
from ...jobs.model import Job, JobError, Output
from ..state import Gateway
from ..v2.render import base_url
from . import model


async def render_job(
    gateway: Gateway, models: model.TypedModels, interface: Interface, request: HTTPConnection | None, job: Job
) -> Any:
    """The job as a model of this workflow's."""
    base, own = base_url(gateway, request), f"/v1/jobs/{job.id}"
    position = await gateway.store.position(job.id) if job.state == "queued" else None
    progress = gateway.live.find_progress(job)
    error = job.error
    named: dict[str, list[model.OutputFile]] = {output.name: [] for output in interface.outputs}
    others: list[model.OutputFile] = []
    for output in job.outputs:
        named.get(output.output or "", others).append(render_output(base, output))
    used = {**find_values(job.request.graph, interface.parameters), **job.request.inputs}
    return models.job.model_validate(
        {
            "id": job.id,
            "status": job.state,
            "inputs": used,
            "outputs": named,
            "other_outputs": others,
            "progress": None if progress is None else model.Progress.model_validate(dict(progress)),
            "error": None if error is None else _render_error(interface, error),
            "warnings": list(job.warnings),
            "created_at": job.created_at,
            "started_at": job.started_at,
            "completed_at": job.completed_at,
            "expires_at": job.expires_at,
            "queue_position": position,
            "attempt": job.attempt,
            "batch": job.request.batch,
            "metadata": job.request.metadata,
            "timings": model.Timings(
                queued=_between(job.created_at, job.started_at), running=_between(job.started_at, job.completed_at)
            ),
            "image": render_image(gateway),
            "urls": model.Urls(
                self=own,
                events=f"{own}/events",
                websocket=f"{own}/ws",
                cancel=f"{own}/cancel",
                v2=f"/api/v2/jobs/{job.id}",
            ),
        }
    )


def render_image(gateway: Gateway) -> model.Image:
    return model.Image(
        name=gateway.project.name,
        version=os.environ.get("PYCOMFY_VERSION"),
        digest=os.environ.get("PYCOMFY_IMAGE_DIGEST"),
    )


def _render_error(interface: Interface, error: JobError) -> model.JobError:
    target = Target(node=error.node or "", input=error.input or "")
    return model.JobError(
        code=error.code,
        message=error.message,
        parameter=next((p.name for p in interface.parameters if target in p.targets), None),
        node=error.node,
        input=error.input,
        class_type=error.class_type,
        traceback=error.traceback,
    )


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, round((end - start).total_seconds(), 6))


def render_output(base: str, output: Output) -> model.OutputFile:
    return model.OutputFile(
        id=output.asset,
        name=output.name,
        node=output.node,
        key=output.kind,
        type=output.type,
        content_type=output.content_type,
        size=output.size,
        hash=output.hash,
        url=f"{base}/v1/files/{output.asset}/content",
        value=output.value,
        stored_at=output.stored,
    )


def render_file(base: str, asset: Asset) -> model.FileRecord:
    return model.FileRecord(
        id=asset.id,
        name=asset.file_path,
        content_type=asset.content_type,
        size=asset.size,
        hash=asset.hash,
        url=f"{base}/v1/files/{asset.id}/content",
        created_at=asset.created_at,
        expires_at=asset.expires_at,
    )
