"""Whether the gateway lives, has started and is ready: for Kubernetes, engines and people."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from .state import Gateway, State

router = APIRouter(tags=["health"])


def find_reasons(gateway: Gateway) -> list[str]:
    """Why it is not ready; nothing if it is. A full queue is no reason."""
    reasons = ["the gateway is being stopped"] if gateway.draining else []
    if not any(instance.ready.is_set() for instance in gateway.instances):
        told = next((i.failure for i in gateway.instances if i.failure), None)
        reasons.append(told or "ComfyUI is starting")
    return reasons


@router.get("/livez")
async def live() -> JSONResponse:
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
@router.get("/startupz")
async def ready(gateway: State) -> JSONResponse:
    reasons = find_reasons(gateway)
    return JSONResponse({"status": "unavailable" if reasons else "ok", "reasons": reasons}, 503 if reasons else 200)
