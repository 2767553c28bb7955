"""Whether the gateway lives, has started and is ready: for Kubernetes, engines and people."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from .state import Gateway, State

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok", "unavailable"]
    reasons: list[str] = Field(default_factory=list, description="why it is not ready")


_ANSWERS: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "not yet, or not now"}}


def find_reasons(gateway: Gateway) -> list[str]:
    """Why it is not ready; nothing if it is. A full queue is no reason."""
    return [*(["the gateway is being stopped"] if gateway.draining else []), *gateway.startup.reasons()]


@router.get("/livez", response_model=Health, operation_id="isAlive")
async def live() -> JSONResponse:
    """Whether the gateway answers."""
    return JSONResponse({"status": "ok"})


@router.get("/startupz", response_model=Health, responses=_ANSWERS, operation_id="hasStarted")
async def started(gateway: State) -> JSONResponse:
    """200 once it has been ready, whatever came after."""
    reasons = [] if gateway.startup.gate.is_set() else find_reasons(gateway)
    return _answer(reasons)


@router.get("/readyz", response_model=Health, responses=_ANSWERS, operation_id="isReady")
async def ready(gateway: State) -> JSONResponse:
    """Whether jobs would be run now."""
    return _answer(find_reasons(gateway))


def _answer(reasons: list[str]) -> JSONResponse:
    return JSONResponse({"status": "unavailable" if reasons else "ok", "reasons": reasons}, 503 if reasons else 200)
