"""`pull`: another library's versions, taken into this one; branches that diverged are merged."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.versions.git import ZERO
from pycomfy.adapters.versions.remote import INCOMING, find_remote, merge_text, received
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.core.versions.merge import explain_conflicts, merge
from pycomfy.core.versions.reference import check_workflow_name
from pycomfy.errors import BadInput, PycomfyError, raise_all
from pycomfy.services.versions.indexing import index
from pycomfy.services.workspace import Workspace

Prefer = Literal["ours", "theirs"] | None
State = Literal["new", "updated", "same", "ahead", "merged", "conflict"]

_MAX_CONFLICTS = 20  # told


@dataclass(frozen=True)
class PullResult:
    """What became of each workflow of the other side, by its name; `remote` is the address without a password."""

    remote: str
    workflows: dict[str, State]


def pull(workspace: Workspace, remote: str, *, prefer: Prefer = None) -> PullResult:
    """Take in every workflow of another library, with its tags and what was built there.

    A branch that has new versions on both sides becomes one by a merge: its files are merged as git does. `prefer`
    says whose change counts where both changed the same. Raises `BadInput` for conflicts, told by node, when all other
    workflows are taken in.
    """
    index(workspace)
    library = workspace.versions
    address = find_remote(library.bare, remote)
    states: dict[str, State] = {}
    problems: list[PycomfyError] = []
    with operation.step(f"Pull from {address.public}") as task, received(library.bare, address) as refs:
        for name, theirs in _workflows(refs).items():
            try:
                states[name] = _take(library, name, theirs, address.public, prefer)
            except BadInput as e:
                states[name] = "conflict"
                problems.append(e)
        _take_others(library, refs)
        changed = [n for n, s in states.items() if s not in ("same", "ahead")]
        task.note(", ".join(changed) or "nothing new")
    index(workspace)
    raise_all(problems)
    return PullResult(address.public, states)


def _workflows(refs: Mapping[str, str]) -> dict[str, str]:
    """The other side's tips, by workflow."""
    found = {}
    for ref, commit in refs.items():
        if ref.startswith(f"{INCOMING}/heads/"):
            name = ref.removeprefix(f"{INCOMING}/heads/")
            try:
                found[check_workflow_name(name)] = commit
            except BadInput:
                operation.report(f"note: the branch {name!r} is no workflow's, and stays there")
    return found


def _take(library: VersionsRepository, name: str, theirs: str, remote: str, prefer: Prefer) -> State:
    bare, branch = library.bare, f"refs/heads/{name}"
    with bare.writing():
        ours = bare.resolve(branch)
        if ours is None:
            bare.update_refs((branch, theirs, ZERO))
            return "new"
        if ours == theirs or _is_ancestor(library, theirs, ours):
            return "same" if ours == theirs else "ahead"
        if _is_ancestor(library, ours, theirs):
            bare.update_refs((branch, theirs, ours))
            return "updated"
    _merge(library, name, (ours, theirs), remote, prefer)
    return "merged"


def _merge(library: VersionsRepository, name: str, tips: tuple[str, str], remote: str, prefer: Prefer) -> None:
    """A version with both tips for parents. Raises `BadInput` with every conflict."""
    status, base, _ = library.bare.ask("merge-base", *tips)
    before = library.read_files(base.decode().split()[0]) if status == 0 else {}
    ours, theirs = (library.read_files(commit) for commit in tips)
    merged = merge(before, ours, theirs, partial(merge_text, library.bare, prefer=prefer))
    if merged.conflicts:
        told = explain_conflicts(before, ours, theirs, merged.conflicts)
        fix = f"`pycomfy pull {remote} --ours` or `--theirs` takes one side where both changed the same"
        raise_all(
            [BadInput(f"{name} was changed on both sides", where=line, fix=fix) for line in told[:_MAX_CONFLICTS]]
        )
    library.commit(name, merged.files, message=f"merge {name} of {remote}", parents=tips)


def _is_ancestor(library: VersionsRepository, one: str, of: str) -> bool:
    return library.bare.ask("merge-base", "--is-ancestor", one, of)[0] == 0


def _take_others(library: VersionsRepository, refs: Mapping[str, str]) -> None:
    """Tags and images that are not here; what is here stays as it is."""
    with library.bare.writing():
        mine = library.bare.refs("refs/tags", "refs/images")
        new = []
        for ref, object_ in refs.items():
            own = "refs/" + ref.removeprefix(f"{INCOMING}/")
            if own not in mine and not own.startswith("refs/heads/"):
                new.append((own, object_, ZERO))
            elif own.startswith("refs/tags/") and mine[own] != object_:
                operation.report(
                    f"note: the tag {own.removeprefix('refs/tags/').replace('/', '@', 1)} is another one there"
                )
        for change in new:
            # One by one: a name there may be a folder here.
            with contextlib.suppress(BadInput):
                library.bare.update_refs(change)
