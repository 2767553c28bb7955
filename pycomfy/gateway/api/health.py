"""Whether the gateway lives, has started and is ready: for Kubernetes, engines and people."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from .state import Gateway, State

router = APIRouter(tags=["health"])


def find_reasons(gateway: Gateway) -> list[str]:
    """Why it is not ready; nothing if it is. A full queue is no reason."""
    return [*(["the gateway is being stopped"] if gateway.draining else []), *gateway.startup.reasons()]


@router.get("/livez")
async def live() -> JSONResponse:
    return JSONResponse({"status": "ok"})


@router.get("/startupz")
async def started(gateway: State) -> JSONResponse:
    """200 once it has been ready, whatever came after."""
    reasons = [] if gateway.startup.gate.is_set() else find_reasons(gateway)
    return _answer(reasons)


@router.get("/readyz")
async def ready(gateway: State) -> JSONResponse:
    return _answer(find_reasons(gateway))


def _answer(reasons: list[str]) -> JSONResponse:
    return JSONResponse({"status": "unavailable" if reasons else "ok", "reasons": reasons}, 503 if reasons else 200)
