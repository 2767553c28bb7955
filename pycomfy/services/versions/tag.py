"""`tag`: name versions."""

from pycomfy import operation
from pycomfy.adapters.versions.git import DamagedRepository
from pycomfy.services.results import Result
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


class TagEntry(VersionResult):
    """A version that is called NAME@`tag`."""

    tag: str


class RemovedTag(Result):
    """The tag NAME@`tag` that is gone, and the commit that it stood for."""

    name: str
    tag: str
    commit: str


def tag(workspace: Workspace, name: str, reference: str, *, force: bool = False) -> TagEntry:
    """Tag a version, which is NAME@tag from then on. Raises `NotFound`; `BadInput` if another version has the tag,
    unless `force`."""
    versions = workspace.versions
    version = versions.find(reference)
    versions.tag(name, version, force=force)
    return TagEntry(name=version.name, version=version.number, commit=version.commit, tag=name)


def untag(workspace: Workspace, name: str, workflow: str) -> RemovedTag:
    """Remove the tag `name` of a workflow. Raises `NotFound`."""
    return RemovedTag(name=workflow, tag=name, commit=workspace.versions.untag(workflow, name))


def list_tags(workspace: Workspace) -> list[TagEntry]:
    """Return every tag of every workflow, sorted by workflow and tag; what cannot be read is reported."""
    versions = workspace.versions
    names = set(versions.names())
    found = []
    for label in versions.tags():
        name, _, tag = label.partition("@")
        if name in names:
            try:
                version = versions.find(label)
            except DamagedRepository as e:
                operation.report_error(e)
            else:
                found.append(TagEntry(name=name, version=version.number, commit=version.commit, tag=tag))
    for ref in sorted(versions.bare.lost_refs("refs/tags")):
        label = ref.removeprefix("refs/tags/").replace("/", "@", 1)
        operation.report_error(versions.bare.damaged(f"the tag {label} cannot be read"))
    return found
