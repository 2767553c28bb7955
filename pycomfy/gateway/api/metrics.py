"""`/metrics`: for Prometheus, and for those with a key unless the deployment gives it to all."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from .access import Authenticated
from .state import State

router = APIRouter(tags=["health"])


@router.get("/metrics", include_in_schema=False)
async def get_metrics(gateway: State, caller: Authenticated) -> Response:
    """Jobs, the queue, requests, nodes, memory and disk."""
    return Response(await gateway.metrics.render(gateway), media_type=CONTENT_TYPE_LATEST)
