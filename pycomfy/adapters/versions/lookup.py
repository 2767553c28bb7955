"""Find versions by what users call them: a number along the branch, a tag, a commit."""

import contextlib
import os.path
from collections.abc import Mapping, Sequence

from pycomfy.adapters.versions.git import BareRepository, DamagedRepository
from pycomfy.adapters.versions.version import Version, read_version
from pycomfy.core.versions.reference import Reference, check_tag, check_workflow_name, parse_reference, unknown_workflow
from pycomfy.errors import BadInput, NotFound, suggest

HEADS = "refs/heads"
TAGS = "refs/tags"


def find_tip(bare: BareRepository, name: str) -> str | None:
    """Return the newest commit of a workflow, None if there is no such workflow. Raises `BadInput` for an impossible
    name."""
    return bare.resolve(f"refs/heads/{check_workflow_name(name)}")


def list_tips(bare: BareRepository) -> dict[str, str]:
    """Return the newest commit of every workflow, sorted by name. Branches that cannot be workflows are left out."""
    return select_tips(bare.refs(HEADS))


def select_tips(refs: Mapping[str, str]) -> dict[str, str]:
    """Return the newest commit of every workflow among all refs."""
    tips = {}
    for ref, commit in refs.items():
        if ref.startswith(f"{HEADS}/"):
            with contextlib.suppress(BadInput):
                tips[check_workflow_name(ref.removeprefix(f"{HEADS}/"))] = commit
    return tips


def list_tags(bare: BareRepository, name: str | None = None) -> dict[str, str]:
    """Return the commit of each tag, by `NAME@tag`, of one workflow or all."""
    return select_tags(bare, bare.refs(TAGS if name is None else f"{TAGS}/{name}"))


def select_tags(bare: BareRepository, refs: Mapping[str, str]) -> dict[str, str]:
    """Return the commit of each tag among all refs, by `NAME@tag`."""
    tags = {ref: object_ for ref, object_ in refs.items() if ref.startswith(f"{TAGS}/")}
    kinds = bare.kinds(list(tags.values()))
    found = {}
    for ref, object_ in tags.items():
        workflow, _, tag = ref.removeprefix(f"{TAGS}/").partition("/")
        commit: str | None = object_
        if kinds.get(object_) not in (None, "commit"):  # a tag with a message; and whoever reads what is lost sees that
            with contextlib.suppress(DamagedRepository):
                commit = bare.resolve(ref)
        if commit is not None and tag and "/" not in tag:
            found[f"{workflow}@{tag}"] = commit
    return found


def find_version(bare: BareRepository, reference: Reference | str) -> Version:
    """Return the version that `reference` names. Raises `NotFound`, or `BadInput` for what cannot name a version."""
    named = parse_reference(reference) if isinstance(reference, str) else reference
    commits = _list_commits(bare, check_workflow_name(named.name))
    if not commits:
        raise explain_unknown(named.name, list(list_tips(bare)), bare)
    if named.version is not None:
        return _find_numbered(bare, named, named.version, commits)
    if named.revision is not None:
        return _find_revision(bare, named, named.revision, commits)
    return read_version(bare, named.name, commits[0], len(commits))


def explain_unknown(name: str, known: Sequence[str], bare: BareRepository) -> NotFound:
    """Return the error for a workflow without any version. `known` are the names of those that have some. If the
    working folder has a workflow with that name, it can be built."""
    return unknown_workflow(name, known, str(bare.path), find_workflow_file(name))


def find_workflow_file(name: str) -> str | None:
    """Return the file in the working folder that a workflow with that name would be built from, if it is there."""
    for path in (f"{name}.json", f"{name}/workflow.json"):
        if os.path.isfile(path):  # noqa: PTH113  (that of Path raises an error for a name that is too long)
            return path
    return None


def _list_commits(bare: BareRepository, name: str) -> list[str]:
    """Return the commits along a workflow's branch, newest first; none if there is no such workflow."""
    if not bare.exists:
        return []
    command = ("rev-list", "--first-parent", "--end-of-options", f"{HEADS}/{name}", "--")
    done = bare.run(*command)
    if done.status == 0:
        commits = done.output.decode().split()
        bare.check_ref(f"{HEADS}/{name}", commits[0])
        return commits
    return [] if find_tip(bare, name) is None else bare.read(*command).decode().split()  # which says what is damaged


def _find_numbered(bare: BareRepository, named: Reference, number: int, commits: list[str]) -> Version:
    if number <= len(commits):
        return read_version(bare, named.name, commits[-number], number)
    if number >= 1000:  # a commit may be abbreviated to digits alone
        with contextlib.suppress(NotFound):
            return _find_revision(bare, named, str(number), commits)
    there = f"the versions 1 to {len(commits)}" if len(commits) > 1 else "version 1 alone"
    raise NotFound(f"no version {named}", where=str(bare.path), fix=f"{named.name} has {there}")


def _find_revision(bare: BareRepository, named: Reference, revision: str, commits: list[str]) -> Version:
    commit = bare.resolve(f"refs/tags/{named.name}/{check_tag(revision)}") if not revision.isdigit() else None
    if commit is None and 4 <= len(revision) <= 40 and set(revision.lower()) <= set("0123456789abcdef"):
        commit = bare.resolve(revision.lower())
        if commit is not None and not bare.is_ancestor(commit, commits[0]):
            commit = None
    if commit is None:
        tags = ", ".join(tag.partition("@")[2] for tag in list_tags(bare, named.name)) or "none"
        fix = suggest("log", f"lists its versions; tags are: {tags}", name=named.name)
        raise NotFound(f"no version {named}", where=str(bare.path), fix=fix)
    number = len(commits) - commits.index(commit) if commit in commits else None
    return read_version(bare, named.name, commit, number)
