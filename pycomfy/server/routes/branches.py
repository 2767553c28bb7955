"""What is done with versions: their history, tags and branches, revert and merge."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pycomfy.core.versions.merge_nodes import Side, parse_sides
from pycomfy.operation import Operation
from pycomfy.server.state import WorkspaceOf
from pycomfy.services.studio.version_changes import (
    MadeVersion,
    PlannedVersion,
    merge_version,
    preview_merge,
    preview_revert,
    revert_version,
)
from pycomfy.services.versions.branch import BranchEntry, branch
from pycomfy.services.versions.history import HistoryResult, read_history
from pycomfy.services.versions.tag import RemovedTag, TagEntry, tag, untag

router = APIRouter(prefix="/api/workflows/{name}", tags=["branches"])

Name = Annotated[str, InPath(max_length=100)]
Number = Annotated[int, InPath(ge=1, lt=10**9)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=220)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTag(Body):
    """A tag; `force` moves it here, if another version has it."""

    tag: Word
    force: bool = False


class NewBranch(Body):
    """A new workflow."""

    name: Word


class RevertBody(Body):
    """Why."""

    message: Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")] = ""


class MergeBody(Body):
    """The version whose changes are taken, as NAME@3. Where both changed the same, `nodes` says which side counts, by
    the node's id, and `prefer` for all else."""

    other: Label
    prefer: Side | None = None
    nodes: Annotated[dict[Word, Side], Field(max_length=1000)] = {}


@router.get("/history")
def history(workspace: WorkspaceOf, name: Name) -> HistoryResult:
    """The versions of a workflow, and of all that share some with it."""
    with Operation().running():
        return read_history(workspace, name)


@router.post("/versions/{version}/tags", status_code=201)
def add_tag(workspace: WorkspaceOf, name: Name, version: Number, body: NewTag) -> TagEntry:
    """Give a version a name."""
    with Operation().running():
        return tag(workspace, body.tag, f"{name}@{version}", force=body.force)


@router.delete("/tags/{tag}")
def remove_tag(workspace: WorkspaceOf, name: Name, tag: Annotated[str, InPath(max_length=100)]) -> RemovedTag:
    """Remove a tag; its version stays."""
    with Operation().running():
        return untag(workspace, tag, name)


@router.post("/versions/{version}/branch", status_code=201)
def begin_branch(workspace: WorkspaceOf, name: Name, version: Number, body: NewBranch) -> BranchEntry:
    """Begin a workflow with the history of a version."""
    with Operation().running():
        return branch(workspace, body.name, f"{name}@{version}")


@router.get("/versions/{version}/revert")
def plan_revert(workspace: WorkspaceOf, name: Name, version: Number) -> PlannedVersion:
    """What a revert would do."""
    with Operation().running():
        return preview_revert(workspace, name, version)


@router.post("/versions/{version}/revert", status_code=201)
def revert(workspace: WorkspaceOf, name: Name, version: Number, body: RevertBody) -> MadeVersion:
    """Make an older version the newest again."""
    with Operation().running():
        return revert_version(workspace, name, version, body.message)


@router.get("/merge")
def plan_merge(
    workspace: WorkspaceOf,
    name: Name,
    other: Annotated[str, Query(min_length=1, max_length=220)],
    prefer: Side | None = None,
    node: Annotated[list[Label], Query(max_length=1000)] = [],  # noqa: B006
) -> PlannedVersion:
    """What a merge would do, and what both sides changed. `node` is a node and the side that counts for it, as in
    `2=theirs`."""
    with Operation().running():
        return preview_merge(workspace, name, other, prefer, parse_sides(node))


@router.post("/merge", status_code=201)
def merge(workspace: WorkspaceOf, name: Name, body: MergeBody) -> MadeVersion:
    """Take the changes of another version, as a new version."""
    with Operation().running():
        return merge_version(workspace, name, body.other, body.prefer, body.nodes)
