"""`merge`: take the changes of another version into a workflow, as a new version."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

from pycomfy.adapters.versions.remote import merge_text
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.adapters.versions.version import Version
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.merge import Conflict, list_conflicts, take_name
from pycomfy.core.versions.merge import merge as merge_files
from pycomfy.core.versions.merge_nodes import Side, settle_nodes
from pycomfy.core.versions.reference import Reference
from pycomfy.core.versions.snapshot import INTERFACE, PROMPT, WORKFLOW, read_snapshot
from pycomfy.errors import BadArgument, BadInput, raise_all, suggest_retry
from pycomfy.services.results import Result
from pycomfy.services.versions.diff import read_version
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace

Prefer = Side | None
"""The side that counts where both changed the same."""

Sides = Mapping[str, Side]
"""The side that counts for a node that both changed, by its id."""

NO_SIDES: Sides = MappingProxyType({})

MAX_CONFLICTS = 20
"""In one error message."""


@dataclass(frozen=True)
class MergedCommits:
    """The project that two commits become, or what both changed."""

    files: dict[str, bytes]
    conflicts: tuple[Conflict, ...]


class MergePlan(Result):
    """What a merge of the version `other` would do. `state`: it would make the version `version` of `name`, with both
    as parents; the workflow is the `same` already, as it has all of `other`; or both changed the same in a `conflict`,
    for which a side must be preferred. `changes` are those of the workflow, a line each."""

    name: str
    other: str
    state: Literal["merged", "same", "conflict"]
    version: int
    changes: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


class MergeResult(VersionResult):
    """The newest version, with the changes of `other`. `new` is False if it had all of them before."""

    other: str
    new: bool


def merge(
    workspace: Workspace, name: str, reference: str, *, prefer: Prefer = None, nodes: Sides = NO_SIDES
) -> MergeResult:
    """Take what another version changed since the two parted into the workflow `name`, as a new version, file by file
    as git does. `nodes` chooses a side for each node that both changed, `prefer` for all else. Raises `NotFound`;
    `BadInput` for conflicts, each described by its node; `BadArgument` for a node that is not in conflict."""
    versions = workspace.versions
    ours, theirs = versions.find(Reference(name)), versions.find(reference)
    new = not versions.bare.is_ancestor(theirs.commit, ours.commit)
    if new:
        tips = (ours.commit, theirs.commit)
        merged = merge_commits(versions, tips, prefer, nodes)
        raise_all([_explain(name, conflict) for conflict in merged.conflicts[:MAX_CONFLICTS]])
        # Never by moving the branch ahead: along the other one's history its versions could have other numbers.
        message = f"merge {theirs.label}"
        versions.commit(name, merged.files, message=message, created_at=workspace.clock(), parents=tips)
        index(workspace)
    made = versions.find(Reference(name))
    return MergeResult(name=made.name, version=made.number, commit=made.commit, other=theirs.label, new=new)


def plan_merge(
    workspace: Workspace, name: str, reference: str, *, prefer: Prefer = None, nodes: Sides = NO_SIDES
) -> MergePlan:
    """Return what a merge would do. Raises as `merge`, but for conflicts."""
    versions = workspace.versions
    ours, theirs = versions.find(Reference(name)), versions.find(reference)
    number = ours.number or 0
    if versions.bare.is_ancestor(theirs.commit, ours.commit):
        return MergePlan(name=name, other=theirs.label, state="same", version=number, changes=(), conflicts=())
    merged = merge_commits(versions, (ours.commit, theirs.commit), prefer, nodes)
    changes = () if merged.conflicts else _describe(versions, ours, merged.files)
    return MergePlan(
        name=name,
        other=theirs.label,
        state="conflict" if merged.conflicts else "merged",
        version=number + 1,
        changes=changes,
        conflicts=merged.conflicts,
    )


def merge_commits(
    versions: VersionsRepository, tips: tuple[str, str], prefer: Prefer, nodes: Sides = NO_SIDES
) -> MergedCommits:
    """Merge the projects of two commits, the first of which is that of the workflow. Nothing is written."""
    base = versions.bare.find_merge_base(*tips)
    ours = versions.read_files(tips[0])
    before = take_name(versions.read_files(base), ours) if base is not None else {}
    theirs = take_name(versions.read_files(tips[1]), ours)
    if nodes:
        changed = {one.node for one in list_conflicts(before, ours, theirs, ())}
        if unknown := sorted(set(nodes) - changed):
            raise BadArgument(f"node {unknown[0]} was not changed on both sides", argument="node")
        before, ours, theirs = settle_nodes(before, ours, theirs, nodes)
    merged = merge_files(before, ours, theirs, partial(merge_text, versions.bare, prefer=prefer))
    if (
        nodes
        and set(merged.conflicts) <= {WORKFLOW, PROMPT, INTERFACE}
        and not list_conflicts(before, ours, theirs, ())
    ):
        # Where nodes stand, and what else no image is made of.
        merged = merge_files(before, ours, theirs, partial(merge_text, versions.bare, prefer=prefer or "ours"))
    found = list_conflicts(before, ours, theirs, merged.conflicts) if merged.conflicts else ()
    return MergedCommits(merged.files, tuple(found))


def _describe(versions: VersionsRepository, ours: Version, files: dict[str, bytes]) -> tuple[str, ...]:
    return tuple(describe_diff(diff(read_version(versions, ours), read_snapshot("the merge", files))))


def _explain(name: str, conflict: Conflict) -> BadInput:
    each = (suggest_retry("merge", "takes the other side for this node alone", node=f"{conflict.node}=theirs"),)
    fixes = (
        *(each if conflict.node is not None else ()),
        suggest_retry("merge", "takes your side where both changed the same", ours=True),
        suggest_retry("merge", "takes the other side instead", theirs=True),
    )
    return BadInput(f"{name} was changed on both sides", where=str(conflict), fix=fixes)
