"""Revert and merge from the studio: what would happen, and that the working folder goes along."""

from typing import Literal

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.sources.config_fingerprint import save_config_fingerprint
from pycomfy.adapters.versions.version import Version
from pycomfy.core.lockfile.schema import LOCK_FILE, parse_lock, render_lock
from pycomfy.core.lockfile.workflow_names import WORKFLOW_FILE
from pycomfy.core.versions.merge import Conflict
from pycomfy.core.versions.reference import Reference
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.services.lock_request import LockRequest, read_config_fingerprint
from pycomfy.services.results import Result
from pycomfy.services.studio.working_folders import working_folder
from pycomfy.services.versions.merge import Prefer, Sides, merge, plan_merge
from pycomfy.services.versions.revert import plan_revert, revert
from pycomfy.services.workspace import Workspace


class PlannedVersion(Result):
    """The version that would be made: `new`, or the `same` as the newest, or none for a `conflict`. `changes` are those
    of the workflow, a line each. `follows`: the working folder would have it too, as it is now as the newest version;
    else it has changes of its own, and stays."""

    name: str
    version: int
    state: Literal["new", "same", "conflict"]
    changes: tuple[str, ...]
    conflicts: tuple[Conflict, ...] = ()
    follows: bool


class MadeVersion(Result):
    """The newest version; `new` if it was made just now, `follows` if the working folder has it too."""

    name: str
    version: int
    new: bool
    follows: bool


def preview_revert(workspace: Workspace, name: str, version: int) -> PlannedVersion:
    """Return what a revert would do. Raises `NotFound`."""
    planned = plan_revert(workspace, f"{name}@{version}")
    return PlannedVersion(
        name=name,
        version=planned.version,
        state="new" if planned.new else "same",
        changes=planned.changes,
        follows=_is_newest(workspace, name),
    )


def revert_version(workspace: Workspace, name: str, version: int, message: str) -> MadeVersion:
    """Make an older version the newest again. Raises `NotFound`."""
    before = workspace.versions.find(Reference(name))
    made = revert(workspace, f"{name}@{version}", message=message or None)
    return MadeVersion(name=name, version=made.version or 0, new=made.new, follows=_follow(workspace, name, before))


def preview_merge(workspace: Workspace, name: str, other: str, prefer: Prefer, nodes: Sides) -> PlannedVersion:
    """Return what a merge would do, with the conflicts. Raises `NotFound`, and `BadArgument` for other nodes."""
    planned = plan_merge(workspace, name, other, prefer=prefer, nodes=nodes)
    return PlannedVersion(
        name=name,
        version=planned.version,
        state="new" if planned.state == "merged" else planned.state,
        changes=planned.changes,
        conflicts=planned.conflicts,
        follows=_is_newest(workspace, name),
    )


def merge_version(workspace: Workspace, name: str, other: str, prefer: Prefer, nodes: Sides) -> MadeVersion:
    """Take the changes of another version. Raises `NotFound`, and `BadInput` for conflicts."""
    before = workspace.versions.find(Reference(name))
    made = merge(workspace, name, other, prefer=prefer, nodes=nodes)
    return MadeVersion(name=name, version=made.version or 0, new=made.new, follows=_follow(workspace, name, before))


def _is_newest(workspace: Workspace, name: str) -> bool:
    return _is_as(workspace, name, workspace.versions.find(Reference(name)))


def _is_as(workspace: Workspace, name: str, version: Version) -> bool:
    """Return whether the working folder has the workflow of a version; so it is without a folder."""
    try:
        data = (working_folder(workspace, name) / WORKFLOW_FILE).read_bytes()
    except FileNotFoundError:
        return True
    files = workspace.versions.read_some([version.commit], (WORKFLOW,))[version.commit]
    return files.get(WORKFLOW) == data


def _follow(workspace: Workspace, name: str, before: Version) -> bool:
    """Write workflow and lock of the newest version into the working folder, where that was as the version `before`;
    return whether it is as the newest one then."""
    folder = working_folder(workspace, name)
    with exclusive_lock(workspace.paths.data / "workflows.lock"):
        if not _is_as(workspace, name, before):
            return _is_newest(workspace, name)
        if (folder / WORKFLOW_FILE).is_file():
            newest = workspace.versions.find(Reference(name))
            files = workspace.versions.read_some([newest.commit], (WORKFLOW, LOCK))[newest.commit]
            lock = parse_lock(files[LOCK].decode(errors="replace"), where=f"{LOCK_FILE} of {newest.label}")
            text = render_lock(lock.model_copy(update={"name": name}))
            write_file(folder / WORKFLOW_FILE, files[WORKFLOW])
            write_file(folder / LOCK_FILE, text)
            # Unchanged, it is built from this lock, whichever pycomfy.toml that was made with.
            request = LockRequest(folder / WORKFLOW_FILE)
            save_config_fingerprint(text, read_config_fingerprint(request), workspace.paths)
    return True
