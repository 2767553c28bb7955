"""The machine: what is healthy on it, and what is used of its disk."""

from fastapi import APIRouter

from pycomfy.operation import Operation
from pycomfy.server.state import WorkspaceOf
from pycomfy.services.disk.usage import DiskUsage, measure_disk
from pycomfy.services.doctor.doctor import doctor
from pycomfy.services.doctor.findings import DoctorResult

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
