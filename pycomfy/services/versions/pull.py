"""`pull`: take in the versions of another versions repository, and merge branches that diverged."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.versions.git import ZERO, DamagedRepository
from pycomfy.adapters.versions.integrity import find_damage
from pycomfy.adapters.versions.remote import INCOMING, fetch_objects, find_remote, received
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.core.versions.reference import check_workflow_name
from pycomfy.errors import BadInput, NotFound, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.services.results import Result
from pycomfy.services.versions.indexing import index
from pycomfy.services.versions.merge import MAX_CONFLICTS, Prefer, merge_commits
from pycomfy.services.versions.repair import list_known, repair_versions
from pycomfy.services.workspace import Workspace

State = Literal["new", "updated", "same", "ahead", "merged", "conflict"]


class PullResult(Result):
    """What became of each workflow of the other side, by name. `remote` is the address without a password."""

    remote: str
    workflows: dict[str, State]


def pull(workspace: Workspace, remote: str, *, prefer: Prefer = None) -> PullResult:
    """Take in every workflow of another versions repository, with its tags and the descriptions of its images.

    A branch that has new versions on both sides is merged, file by file as git does. `prefer` chooses a side where both
    changed the same. Raises `BadInput` for conflicts, each described by its node, after all other workflows are taken
    in. What is damaged or lost here is taken from there.
    """
    versions = workspace.versions
    with contextlib.suppress(NotFound, DamagedRepository):
        index(workspace)
    damaged = False
    if versions.bare.exists and find_damage(versions.bare):
        repair_versions(workspace)
        fetch_objects(versions.bare, find_remote(versions.bare, remote))
        repair_versions(workspace)
        damaged = _report_lost(workspace, find_remote(versions.bare, remote).public)
    known = list_known(workspace)
    address = find_remote(versions.bare, remote)
    states: dict[str, State] = {}
    problems: list[PycomfyError] = []
    with (
        operation.step(f"Pull from {address.public}") as task,
        received(versions.bare, address, damaged=damaged) as refs,
    ):
        for name, theirs in _workflows(refs).items():
            try:
                _refuse_lost(workspace, name, known.get(name, ()), theirs)
                states[name] = _take(workspace, name, theirs, address.public, prefer)
            except BadInput as e:
                states[name] = "conflict"
                problems.append(e)
        _take_others(versions, refs)
        changed = [n for n, s in states.items() if s not in ("same", "ahead")]
        task.note(", ".join(changed) or "nothing new")
    for problem in index(workspace).problems.values():
        operation.report_error(problem)
    raise_all(problems)
    return PullResult(remote=address.public, workflows=states)


def _report_lost(workspace: Workspace, remote: str) -> bool:
    """Report what neither this machine nor the remote has; return whether there is anything."""
    lost = find_damage(workspace.versions.bare)
    if lost:
        more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
        fixes = (
            suggest("pull", "from another versions repository, if one has it", remote=Placeholder("REMOTE")),
            "else it is lost for good: remove the workflow that has it",
        )
        operation.report(f"warning: what is damaged here is not in {remote} either: {lost[0]}{more}", fixes)
    return bool(lost)


def _workflows(refs: Mapping[str, str]) -> dict[str, str]:
    """Return the newest commit of each workflow of the other side."""
    found = {}
    for ref, commit in refs.items():
        if ref.startswith(f"{INCOMING}/heads/"):
            name = ref.removeprefix(f"{INCOMING}/heads/")
            try:
                found[check_workflow_name(name)] = commit
            except BadInput:
                operation.report(f"note: the branch {name!r} is not a workflow, and was not taken in")
    return found


def _refuse_lost(workspace: Workspace, name: str, known: Sequence[str], theirs: str) -> None:
    """Raise `BadInput` if versions that the database knows are in the repository no more, and are not there either."""
    bare = workspace.versions.bare
    if known and bare.refs(f"refs/heads/{name}") == {} and not bare.is_ancestor(known[0], theirs):
        what = f"{name} has versions that are lost here, and are not there either"
        fixes = (
            suggest("pull", "from a versions repository that has them", remote=Placeholder("REMOTE")),
            suggest("rm", "forgets them; then pull again", name=name, force=True),
        )
        raise BadInput(what, where=str(bare.path), fix=fixes)


def _take(workspace: Workspace, name: str, theirs: str, remote: str, prefer: Prefer) -> State:
    bare, branch = workspace.versions.bare, f"refs/heads/{name}"
    with bare.writing():
        ours = bare.resolve(branch)
        if ours is None:
            bare.update_refs((branch, theirs, ZERO))
            return "new"
        if ours == theirs or bare.is_ancestor(theirs, ours):
            return "same" if ours == theirs else "ahead"
        if bare.is_ancestor(ours, theirs):
            bare.update_refs((branch, theirs, ours))
            return "updated"
    _merge(workspace, name, (ours, theirs), remote, prefer)
    return "merged"


def _merge(workspace: Workspace, name: str, tips: tuple[str, str], remote: str, prefer: Prefer) -> None:
    """Commit a version with both tips as parents. Raises `BadInput` for every conflict."""
    versions = workspace.versions
    merged = merge_commits(versions, tips, prefer)
    if merged.conflicts:
        fixes = (
            suggest("pull", "takes your side where both changed the same", remote=remote, ours=True),
            suggest("pull", "takes the other side instead", remote=remote, theirs=True),
        )
        what, lines = f"{name} was changed on both sides", map(str, merged.conflicts[:MAX_CONFLICTS])
        raise_all([BadInput(what, where=line, fix=fixes) for line in lines])
    message = f"merge {name} of {remote}"
    versions.commit(name, merged.files, message=message, created_at=workspace.clock(), parents=tips)


def _take_others(versions: VersionsRepository, refs: Mapping[str, str]) -> None:
    """Take in tags and images that are not here; those that are here stay as they are."""
    with versions.bare.writing():
        mine = versions.bare.refs("refs/tags", "refs/images")
        new = []
        for ref, object_ in refs.items():
            own = "refs/" + ref.removeprefix(f"{INCOMING}/")
            if own not in mine and not own.startswith("refs/heads/"):
                new.append((own, object_, ZERO))
            elif own.startswith("refs/tags/") and mine[own] != object_:
                label = own.removeprefix("refs/tags/").replace("/", "@", 1)
                operation.report(f"note: the tag {label} is another version there, and stays as it is here")
        for change in new:
            # One by one: a ref there may be a folder of refs here, which git refuses.
            with contextlib.suppress(BadInput):
                versions.bare.update_refs(change)
