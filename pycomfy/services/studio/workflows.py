"""List the workflows that were built or are being worked on, and draw one."""

import hashlib
from typing import Literal

from pycomfy.core.lockfile.schema import LOCK_FILE, Lock, parse_lock
from pycomfy.core.lockfile.workflow_names import WORKFLOW_FILE
from pycomfy.core.requirements.collect import list_provenance
from pycomfy.core.requirements.model import Provenance
from pycomfy.core.studio.canvas import Canvas, read_canvases
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.core.workflow.parse import find_graph, parse_graph
from pycomfy.errors import BadInput, NotFound, PycomfyError, suggest
from pycomfy.services.results import Problem, Result
from pycomfy.services.studio.working_folders import list_working_folders, working_folder
from pycomfy.services.versions.log import NewestEntry, log_newest
from pycomfy.services.workspace import Workspace

State = Literal["new", "locked", "built", "changed"]


class WorkflowEntry(Result):
    """A workflow. `state`: `new` was neither built nor locked, `locked` not built, `changed` has another workflow in
    its folder than its newest version. `versions` counts them; the rest is the newest one's, None without
    any. Times are UTC, `size` is in bytes."""

    name: str
    state: State
    versions: int
    version: int | None
    changed_at: str
    built_at: str | None
    size: int | None
    manifest_digest: str | None
    comfyui_version: str | None
    folder: str | None
    problem: str | None


class GraphResult(Result):
    """A workflow as the editor shows it. `graphs` are its own and those of its subgraphs. `packs` says which node pack
    has a node type, where that is locked; `provenance` what the workflow itself says. `version` is None for the working
    folder's. `base` is the SHA-256 of its file."""

    name: str
    version: int | None
    base: str
    format: str
    graphs: tuple[Canvas, ...]
    packs: dict[str, str]
    provenance: dict[str, Provenance]
    problems: tuple[Problem, ...]


def list_workflows(workspace: Workspace) -> list[WorkflowEntry]:
    """Return every workflow, the one that changed last first."""
    newest = {entry.name: entry for entry in log_newest(workspace)}
    folders = set(list_working_folders(workspace))
    found = [_describe(workspace, name, newest.get(name), name in folders) for name in {*newest, *folders}]
    return sorted(found, key=lambda entry: (entry.changed_at, entry.name), reverse=True)


def find_workflow_entry(workspace: Workspace, name: str) -> WorkflowEntry:
    """Return one workflow. Raises `NotFound`."""
    newest = next(iter(log_newest(workspace, name)), None)
    has_folder = name in list_working_folders(workspace)
    if newest is None and not has_folder:
        raise _unknown(workspace, name)
    return _describe(workspace, name, newest, has_folder)


def _describe(workspace: Workspace, name: str, newest: NewestEntry | None, has_folder: bool) -> WorkflowEntry:
    state: State = "built"
    changed_at = newest.created_at if newest is not None else ""
    folder = workspace.paths.workflows / name if has_folder else None
    if folder is not None:
        file = folder / WORKFLOW_FILE
        if newest is None:
            state = "locked" if (folder / LOCK_FILE).is_file() else "new"
            changed_at = _time(file.stat().st_mtime)
        elif newest.problem is None and not _is_as_built(workspace, name, file.read_bytes()):
            state = "changed"
            changed_at = max(changed_at, _time(file.stat().st_mtime))
    return WorkflowEntry(
        name=name,
        state=state,
        versions=newest.versions if newest is not None else 0,
        version=newest.version if newest is not None else None,
        changed_at=changed_at,
        built_at=newest.created_at if newest is not None else None,
        size=newest.size if newest is not None else None,
        manifest_digest=newest.manifest_digest if newest is not None else None,
        comfyui_version=newest.comfyui_version if newest is not None else None,
        folder=str(folder) if folder is not None else None,
        problem=newest.problem if newest is not None else None,
    )


def _is_as_built(workspace: Workspace, name: str, data: bytes) -> bool:
    version = workspace.versions.find(name)
    return workspace.versions.read_some([version.commit], (WORKFLOW,))[version.commit].get(WORKFLOW) == data


def _time(seconds: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


# — one workflow —


def draw(workspace: Workspace, name: str, version: int | None = None) -> GraphResult:
    """Return the graph of a version; for None that of the working folder, else of the newest. Raises `NotFound`."""
    files, number = read_files(workspace, name, version)
    where = f"{WORKFLOW_FILE} of {name}"
    graph = find_graph(files[WORKFLOW], where=where)
    workflow = parse_graph(graph, where=where)
    canvases = read_canvases(workflow, graph)
    problems: list[PycomfyError] = []
    lock = find_lock(files, name, problems)
    return GraphResult(
        name=name,
        version=number,
        base=hashlib.sha256(files[WORKFLOW]).hexdigest(),
        format=workflow.format,
        graphs=canvases,
        packs={type_: pack.name for pack in lock.packs for type_ in pack.types} if lock is not None else {},
        provenance=list_provenance(workflow),
        problems=tuple(problems),
    )


def read_files(workspace: Workspace, name: str, version: int | None) -> tuple[dict[str, bytes], int | None]:
    """Return the workflow and the lock of a version, with its number; for None those of the working folder, else of
    the newest version. Raises `NotFound`."""
    folder = working_folder(workspace, name)
    if version is None and (folder / WORKFLOW_FILE).is_file():
        files = {WORKFLOW: (folder / WORKFLOW_FILE).read_bytes()}
        if (folder / LOCK_FILE).is_file():
            files[LOCK] = (folder / LOCK_FILE).read_bytes()
        return files, None
    if name not in workspace.versions.names():
        raise _unknown(workspace, name)
    found = workspace.versions.find(name if version is None else f"{name}@{version}")
    return workspace.versions.read_some([found.commit], (WORKFLOW, LOCK))[found.commit], found.number


def find_lock(files: dict[str, bytes], name: str, problems: list[PycomfyError]) -> Lock | None:
    """Return the lock among these files; None without one, and for one that cannot be read, which is a problem."""
    if LOCK not in files:
        return None
    try:
        return parse_lock(files[LOCK].decode(errors="replace"), where=f"{LOCK_FILE} of {name}")
    except BadInput as e:
        problems.append(e)
        return None


def _unknown(workspace: Workspace, name: str) -> NotFound:
    return NotFound(f'no workflow "{name}"', where=str(workspace.versions.path), fix=suggest("log"))
