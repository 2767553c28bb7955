"""Change values of a workflow in its working folder, from where the next build makes a version of it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.core.lockfile.schema import LOCK_FILE, Lock
from pycomfy.core.lockfile.workflow_names import WORKFLOW_FILE
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.studio.values import (
    MAX_LENGTH,
    ChangedValue,
    NodeValue,
    ValueChange,
    change_values,
    list_node_values,
)
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW
from pycomfy.core.workflow.parse import find_graph, parse_workflow
from pycomfy.errors import BadInput
from pycomfy.services.lock.kept_pins import keep_pins, write_kept
from pycomfy.services.project import host_platform
from pycomfy.services.results import Result
from pycomfy.services.studio.workflows import find_lock, read_files
from pycomfy.services.studio.working_folders import open_working_folder
from pycomfy.services.verification import read_cached_definitions
from pycomfy.services.workspace import Workspace

MAX_CHANGES = 2000

Id = Annotated[str, StringConstraints(max_length=300)]


class WantedChange(BaseModel):
    """A value of a node that is to be another one, as text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    graph: Id = ""
    node: Id
    key: Id
    text: Annotated[str, StringConstraints(max_length=MAX_LENGTH)]


class EditRequest(BaseModel):
    """`base` is the SHA-256 of the workflow that the changes are for. With `dry`, nothing is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    changes: Annotated[tuple[WantedChange, ...], Field(max_length=MAX_CHANGES)]
    dry: bool = False


class NodeValues(Result):
    """The values of a node. `base` is the SHA-256 of the workflow; `known` says whether the node's definition is known,
    so that values are compared with it."""

    base: str
    known: bool
    values: tuple[NodeValue, ...]


class EditResult(Result):
    """What was changed, or would be. `base` is the SHA-256 of the workflow with the changes. `keeps_lock` says whether
    the lock keeps every pin; else the next build locks the workflow again, `why` says why. `version` is the number that
    the next version gets."""

    name: str
    base: str
    changes: tuple[ChangedValue, ...]
    keeps_lock: bool
    why: str
    version: int


@dataclass(frozen=True)
class _State:
    """What is in the working folder, or would be."""

    data: bytes
    lock_text: str | None
    lock: Lock | None

    @property
    def base(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def show_node_values(workspace: Workspace, name: str, graph: str, node: str) -> NodeValues:
    """Return the values of a node of what is being worked on, and what each can be. Raises `NotFound`."""
    state = _read(workspace, name)
    definitions = _find_definitions(workspace, state.lock)
    workflow = parse_workflow(state.data, where=f"{WORKFLOW_FILE} of {name}")
    values = list_node_values(workflow, graph, node, definitions)
    return NodeValues(base=state.base, known=definitions.known, values=values)


def edit_values(workspace: Workspace, name: str, request: EditRequest) -> EditResult:
    """Change values in the working folder; its lock keeps its pins where the workflow needs what it needed before.
    Raises `NotFound`; `BadInput` for a workflow that has changed since; every value that cannot be."""
    folder = None if request.dry else open_working_folder(workspace, name)
    with exclusive_lock(workspace.paths.data / "workflows.lock"):
        state = _read(workspace, name)
        if state.base != request.base:
            fix = "load the page again, and make the changes there"
            raise BadInput("the workflow has changed since it was shown", where=name, fix=fix)
        where = f"{WORKFLOW_FILE} of {name}"
        workflow, root = parse_workflow(state.data, where=where), find_graph(state.data, where=where)
        wanted = [ValueChange(one.graph, one.node, one.key, one.text) for one in request.changes]
        changed, found = change_values(workflow, root, wanted, _find_definitions(workspace, state.lock))
        data = _render(changed, state.data) if found else state.data
        kept = keep_pins(state.lock, state.data, data) if state.lock is not None else None
        if found and folder is not None:
            write_file(folder / WORKFLOW_FILE, data)
            if kept is not None and state.lock_text is not None:
                write_kept(workspace, folder / LOCK_FILE, state.lock_text, kept)
    newest = workspace.versions.versions(name)
    return EditResult(
        name=name,
        base=hashlib.sha256(data).hexdigest(),
        changes=found,
        keeps_lock=kept is not None,
        why="" if kept is not None else _explain(state, data),
        version=(newest[0].number or 0) + 1 if newest else 1,
    )


def _explain(state: _State, data: bytes) -> str:
    if state.lock is None:
        return "it has no lock yet"
    if state.lock.workflow.sha256 != state.base:
        return "its lock is of another state of the workflow"
    return "it needs other models or nodes than before"


def _read(workspace: Workspace, name: str) -> _State:
    files, _ = read_files(workspace, name, None)
    text = files[LOCK].decode(errors="replace") if LOCK in files else None
    return _State(files[WORKFLOW], text, find_lock(files, name, []))


def _find_definitions(workspace: Workspace, lock: Lock | None) -> Definitions:
    """The node definitions of the image that the lock makes, where one like it was started before; else none."""
    found = read_cached_definitions(workspace, lock, host_platform()) if lock is not None else None
    return Definitions(found.types if found is not None else {})


def _render(workflow: Mapping[str, object], before: bytes) -> bytes:
    """The workflow as JSON, indented as it was before."""
    found = re.match(rb"\s*\{\r?\n( {1,8})\S", before)
    end = "\n" if before.endswith(b"\n") else ""
    indent = len(found[1]) if found is not None else None
    separators = None if indent is not None else (",", ":")
    text = json.dumps(workflow, indent=indent, separators=separators, ensure_ascii=False)
    try:
        return f"{text}{end}".encode()
    except UnicodeEncodeError as e:
        raise BadInput("a value has half a character", where=WORKFLOW_FILE, fix="give it again") from e
