"""Show a workflow's history with that of the workflows that share versions with it: what was branched and merged."""

from collections.abc import Mapping
from dataclasses import dataclass

from pycomfy.adapters.versions.lookup import HEADS, TAGS, select_tags, select_tips
from pycomfy.adapters.versions.version import Version, list_related, read_commits
from pycomfy.core.versions.history import number_versions
from pycomfy.core.versions.reference import Reference
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

MAX_ENTRIES = 2000


@dataclass(frozen=True)
class HistoryEntry:
    """A commit. It is the version `version` of `name`: of the workflow itself where that has it, else of the first
    other one; both are None for one that only a merge brought in. `newest_of` are the workflows of which it is the
    newest version, `tags` those that stand for it, as NAME@tag. `created_at` is UTC, as in 2025-12-05T09:30:00Z."""

    commit: str
    parents: tuple[str, ...]
    name: str | None
    version: int | None
    newest_of: tuple[str, ...]
    tags: tuple[str, ...]
    message: str
    created_at: str


class HistoryResult(Result):
    """The history of the workflow `name` and of all that share commits with it, newest first, none before one that
    follows it; at most `MAX_ENTRIES`, `more` if there are others."""

    name: str
    entries: tuple[HistoryEntry, ...]
    more: bool


def read_history(workspace: Workspace, name: str) -> HistoryResult:
    """Return the history of a workflow. Raises `NotFound`."""
    bare = workspace.versions.bare
    refs = bare.refs(HEADS, TAGS)
    tips, commits = _read_commits(workspace, name, select_tips(refs))
    numbers = number_versions({one.commit: one.parents for one in commits}, tips, first=name)
    tags: dict[str, list[str]] = {}
    for label, commit in select_tags(bare, refs).items():
        tags.setdefault(commit, []).append(label)
    newest: dict[str, list[str]] = {}
    for one, commit in tips.items():
        newest.setdefault(commit, []).append(one)
    entries = tuple(
        HistoryEntry(
            commit=one.commit,
            parents=one.parents,
            name=numbers.get(one.commit, (None, None))[0],
            version=numbers.get(one.commit, (None, None))[1],
            newest_of=tuple(newest.get(one.commit, ())),
            tags=tuple(sorted(tags.get(one.commit, ()))),
            message=one.message,
            created_at=one.created_at,
        )
        for one in commits[:MAX_ENTRIES]
    )
    return HistoryResult(name=name, entries=entries, more=len(commits) > MAX_ENTRIES)


def _read_commits(workspace: Workspace, name: str, tips: Mapping[str, str]) -> tuple[dict[str, str], list[Version]]:
    """Return the newest commits of a workflow and of those that share some with it, and all commits before them."""
    own = workspace.versions.find(Reference(name)).commit
    bare = workspace.versions.bare
    commits = read_commits(bare, [own])
    others = tips.keys() - {name}
    if others:
        others &= list_related(bare, [one.commit for one in commits if not one.parents])
    related = {one: own if one == name else tip for one, tip in tips.items() if one in {*others, name}} or {name: own}
    if {*related.values()} - {one.commit for one in commits}:
        commits = read_commits(bare, list(related.values()))
    return related, commits
