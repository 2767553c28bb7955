"""The machine: what is healthy on it, what is used of its disk, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pycomfy.operation import Operation
from pycomfy.server.roles import METRICS
from pycomfy.server.state import MetricsOf, WorkspaceOf
from pycomfy.services.disk.usage import DiskUsage, measure_disk
from pycomfy.services.doctor.doctor import doctor
from pycomfy.services.doctor.findings import DoctorResult
from pycomfy.services.users import AuditEntry, list_audit

router = APIRouter(prefix="/api/system", tags=["system"])


@router.get("/doctor")
def examine(workspace: WorkspaceOf, offline: bool = False) -> DoctorResult:
    """Look at the machine; with `offline` ask no server. Nothing is changed."""
    with Operation().running():
        return doctor(workspace, offline=offline)


@router.get("/disk")
def disk(workspace: WorkspaceOf) -> DiskUsage:
    """What is used for what, and what frees it."""
    with Operation().running():
        return measure_disk(workspace)


@router.get("/log")
def audit(workspace: WorkspaceOf, count: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[AuditEntry]:
    """Who did what, newest first; nothing where nobody but the owner uses the server."""
    return list_audit(workspace, count)


metrics = APIRouter()


@metrics.get(METRICS, include_in_schema=False)
def show_metrics(metrics: MetricsOf) -> Response:
    """What Prometheus reads."""
    return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)
