"""Webhooks of the jobs of a gateway, with their typed record."""

from typing import Any

from ...jobs.model import Job
from ...webhooks import Webhooks
from ..state import Gateway
from .model import make_models
from .render import render_job


def make_webhooks(gateway: Gateway) -> Webhooks:
    """Raises `BadInterface`, `pydantic.ValidationError`. Links have a host only where the settings name one."""
    interface = gateway.project.inputs_and_outputs
    models = make_models(interface)

    async def render(job: Job) -> dict[str, Any]:
        record = await render_job(gateway, models, interface, None, job)
        data: dict[str, Any] = record.model_dump(mode="json", by_alias=True)
        return data

    settings = gateway.settings
    return Webhooks(
        gateway.store,
        settings.webhook_secret,
        gateway.outside,
        render,
        limit=settings.webhook_limit,
        count=gateway.metrics.count_webhook,
    )
