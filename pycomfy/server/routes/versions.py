"""Versions: list, show, compare; their images, and how they are called."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from fastapi.responses import PlainTextResponse

from pycomfy.core.interface.examples import Language
from pycomfy.operation import Operation
from pycomfy.server.state import WorkspaceOf
from pycomfy.services.api_description import write_api_example
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.operations.requests import Form
from pycomfy.services.studio.images import ImageResult, describe_image
from pycomfy.services.studio.restore import PlannedRestore, preview_restore
from pycomfy.services.versions.diff import DiffResult, diff
from pycomfy.services.versions.log import LogEntry, list_versions
from pycomfy.services.versions.show import ShowResult, show

router = APIRouter(prefix="/api/workflows/{name}/versions", tags=["versions"])

Name = Annotated[str, InPath(max_length=100)]
Number = Annotated[int, InPath(ge=1, lt=10**9)]
Other = Annotated[int | None, Query(ge=1, lt=10**9)]


@router.get("")
def list_all(workspace: WorkspaceOf, name: Name) -> list[LogEntry]:
    """The versions of a workflow, newest first; none of one that was never built."""
    with Operation().running():
        return list_versions(workspace, name)


@router.get("/{version}")
def describe(workspace: WorkspaceOf, name: Name, version: Number) -> ShowResult:
    """A version, and everything recorded about it."""
    with Operation().running():
        return show(workspace, f"{name}@{version}")


@router.get("/{version}/diff")
def compare(workspace: WorkspaceOf, name: Name, version: Number, to: Annotated[int, Query(ge=1)]) -> DiffResult:
    """What changed from a version to another one."""
    with Operation().running():
        return diff(workspace, f"{name}@{version}", f"{name}@{to}")


@router.get("/{version}/image")
def image(workspace: WorkspaceOf, name: Name, version: Number, before: Other = None) -> ImageResult:
    """The layers of a version's image, compared with another version's: by default the one before."""
    with Operation().running():
        return describe_image(workspace, name, version, before)


@router.get("/{version}/restore")
def plan_restore(
    workspace: WorkspaceOf,
    name: Name,
    version: Number,
    form: Form = "image",
    folder: Annotated[str, Query(max_length=1000, pattern=r"^(/[^\x00-\x1f]*)?$")] = "",
    offline: bool = False,
) -> PlannedRestore:
    """What would be restored, and from where: a dry run, with the same errors."""
    request = RestoreRequest(
        f"{name}@{version}",
        offline=offline,
        to=Path(folder) if form == "folder" else None,
        project=Path(folder) if form == "project" else None,
    )
    with Operation().running():
        return preview_restore(workspace, request)


@router.get("/{version}/example", response_class=PlainTextResponse)
def example(
    workspace: WorkspaceOf,
    name: Name,
    version: Number,
    lang: Language = "curl",
    url: Annotated[str, Query(max_length=500)] = "http://127.0.0.1:8000",
) -> str:
    """A program that calls the version where it is served."""
    with Operation().running():
        return write_api_example(workspace, f"{name}@{version}", lang, url)
