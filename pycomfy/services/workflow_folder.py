"""Read the folder of a workflow: which lock and which settings it has there."""

import contextlib
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pycomfy.adapters.metadata.detect import find_workflow
from pycomfy.core.lockfile.schema import LOCK_FILE
from pycomfy.core.lockfile.workflow_folder import WorkflowFolder
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE, is_lock
from pycomfy.core.loose_json import as_mapping, as_text
from pycomfy.core.workflow.parse import extract_workflow
from pycomfy.errors import BadInput, PycomfyError, suggest

MAX_NAMED = 8
"""Workflows of a folder that an error names."""

_HEAD = 1 << 16
"""Bytes of a lock that show that it is one."""


def read_workflow_folder(folder: Path) -> WorkflowFolder:
    """Return what is in a folder. What cannot be read there counts as absent: the file that is meant is read later."""
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())

    @cache
    def hash_workflow(name: str) -> str | None:
        with contextlib.suppress(OSError, PycomfyError), (folder / name).open("rb") as file:
            data = extract_workflow(find_workflow(file, where=name), where=name)
            return hashlib.sha256(data).hexdigest()
        return None

    return WorkflowFolder(
        Path(os.path.abspath(folder)).name,  # noqa: PTH100  (a link keeps the name that the user gave it)
        names,
        _read_config(folder / CONFIG_FILE),
        frozenset(name for name in names if name.endswith(".lock") and is_replaceable(folder / name)),
        _read_pin(folder / LOCK_FILE),
        hash_workflow,
    )


def find_in_folder(path: Path, folder: WorkflowFolder) -> Path:
    """Return the file of the workflow that the folder at `path` stands for; it need not exist. Raises `BadInput` if
    there are several."""
    if folder.main is not None:
        return path / folder.main
    several = list(folder.workflows())
    if len(several) == 1:
        return path / several[0]
    more = f" and {len(several) - MAX_NAMED} more" if len(several) > MAX_NAMED else ""
    raise BadInput(
        f"the folder has several workflows: {_list(several)}{more}",
        where=str(path),
        # A name that begins as an option would be taken for one.
        fix=[
            suggest("retry", workflow="./" * str(path / name).startswith("-") + str(path / name))
            for name in several[:MAX_NAMED]
        ],
    )


def find_source(source: str) -> str:
    """Return a source as `read_workflow` takes it, with the file in place of a folder. Raises as `find_in_folder`."""
    path = Path(source)
    return str(find_in_folder(path, read_workflow_folder(path))) if source != "-" and path.is_dir() else source


def find_lock_file(file: Path, folder: WorkflowFolder) -> Path:
    """Return the lock of the workflow in `file`; it need not exist. Raises `BadInput` if it is not known whether
    `pycomfy.lock` is that of this workflow."""
    name = folder.lock_of(file.name)
    if name is None:
        others = [other for other in folder.workflows() if other != file.name]
        raise BadInput(
            f"this may be the lock of {file.name}, or of {_list(others)}: the folder has several"
            " workflows, and none of them has the name or the content that it was made for",
            where=str(file.parent / LOCK_FILE),
            fix="rename it to the name of its workflow, with .lock in place of .json; or delete it, then each workflow"
            " is locked again into a file of its own",
        )
    return file.parent / name


def _list(files: Sequence[str]) -> str:
    return ", ".join(files[:MAX_NAMED])


def is_replaceable(path: Path) -> bool:
    """Return whether a lock may be written there: `pycomfy.lock`, and what is no lock of another program."""
    try:
        with path.open("rb") as file:
            return path.name == LOCK_FILE or is_lock(file.read(_HEAD).decode(errors="replace"))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}


def _read_pin(path: Path) -> tuple[str, str] | None:
    try:
        lock = as_mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None
    pin = as_text(lock.get("name")), as_text(as_mapping(lock.get("workflow")).get("sha256"))
    return pin if any(pin) else None
