"""The working folders of the studio: a workflow that was dropped there, its lock and its pycomfy.toml.

A workflow that was built elsewhere gets its folder, with its newest version, when it is first built from here.
"""

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from pycomfy import operation
from pycomfy.adapters.git.fixed_repository import make_fixed_repository
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.metadata.detect import find_workflow
from pycomfy.adapters.nix.resources import examples_folder
from pycomfy.core.lockfile.names import safe_name, unique_name
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE, WORKFLOW_FILE
from pycomfy.core.versions.reference import check_workflow_name
from pycomfy.core.workflow.parse import extract_workflow, parse_workflow
from pycomfy.errors import BadInput, NotFound, suggest
from pycomfy.services.results import Result
from pycomfy.services.versions.checkout import checkout
from pycomfy.services.workspace import Workspace

EXAMPLE = "hello"

MAX_UPLOAD = 256 << 20
"""Bytes of a file that is dropped: a video with a workflow in it is large."""


class AddedWorkflow(Result):
    """A workflow that was added, and the file in its working folder. `nodes` counts those of its own graph."""

    name: str
    file: Path
    nodes: int


def working_folder(workspace: Workspace, name: str) -> Path:
    """Return the folder of a workflow, which need not exist. Raises `BadInput` for what is no name."""
    return workspace.paths.workflows / check_workflow_name(name)


def list_working_folders(workspace: Workspace) -> list[str]:
    """Return the names of the workflows that have a folder with a workflow in it, sorted."""
    with contextlib.suppress(FileNotFoundError):
        paths = workspace.paths.workflows.iterdir()
        found = [path for path in paths if not path.name.startswith(".") and (path / WORKFLOW_FILE).is_file()]
        return sorted(path.name for path in found)
    return []


def open_working_folder(workspace: Workspace, name: str) -> Path:
    """Return the folder of a workflow, made of its newest version where there is none. Raises `NotFound`."""
    folder = working_folder(workspace, name)
    if not (folder / WORKFLOW_FILE).is_file():
        try:
            checkout(workspace, name, folder)
        except NotFound as e:
            raise NotFound(f'no workflow "{name}"', where=e.where, fix=suggest("log")) from e
    return folder


def add_workflow(workspace: Workspace, file: BinaryIO, file_name: str, name: str | None = None) -> AddedWorkflow:
    """Add the workflow in a file: JSON, or a picture, video or other file that ComfyUI made. It is called `name`, or as
    its file, with a number where that is taken. Raises `BadWorkflow` for a file without one."""
    where = file_name or "the file"
    content = extract_workflow(find_workflow(file, where=where), where=where)
    return _add(
        workspace,
        {WORKFLOW_FILE: content},
        where,
        check_workflow_name(name) if name is not None else _name_of(file_name),
    )


def add_example(workspace: Workspace) -> AddedWorkflow:
    """Add the example that comes with pycomfy."""
    source = examples_folder() / EXAMPLE
    files = {name: (source / name).read_bytes() for name in (WORKFLOW_FILE, CONFIG_FILE)}
    return _add(workspace, files, "the example", EXAMPLE, packs=("hello-card",))


def remove_working_folder(workspace: Workspace, name: str) -> None:
    """Remove a workflow's folder; its versions stay. Raises `NotFound`."""
    folder = working_folder(workspace, name)
    if not folder.is_dir():
        raise NotFound(f'"{name}" has no working folder', where=str(workspace.paths.workflows), fix=suggest("log"))
    shutil.rmtree(folder)


def _add(
    workspace: Workspace, files: Mapping[str, bytes], where: str, name: str, packs: Sequence[str] = ()
) -> AddedWorkflow:
    """Write the files of a workflow; `packs` are those of the examples that it has in its folder."""
    workflow = parse_workflow(files[WORKFLOW_FILE], where=where)
    nodes = len(workflow.graph.nodes) or len(workflow.api)
    if not nodes:
        raise BadInput("the workflow has no nodes", where=where, fix="save it again from ComfyUI")
    folders = workspace.paths.workflows
    # Two that are dropped at once get two names.
    with exclusive_lock(workspace.paths.data / "workflows.lock"), translate_disk_full(folders):
        taken = {*list_working_folders(workspace), *workspace.versions.names()}
        free = unique_name(name, taken)
        folder = folders / free
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # without a workflow: what is left of one
            shutil.rmtree(folder)
        with new_folder(folder) as new:
            for file, content in files.items():
                (new / file).write_bytes(content)
            for pack in packs:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(examples_folder() / "packs" / pack, new / "packs" / pack, ignore=ignored)
                make_fixed_repository(new / "packs" / pack)
    if free != name:
        operation.report(f'note: "{name}" was taken: it is called {free}')
    return AddedWorkflow(name=free, file=folder / WORKFLOW_FILE, nodes=nodes)


def _name_of(file_name: str) -> str:
    """The name of a workflow of a file with this name, of which only the last part counts."""
    return safe_name(Path(file_name.replace("\\", "/")).name.partition(".")[0] or "workflow")
