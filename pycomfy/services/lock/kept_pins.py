"""Keep the pins of a lock where a workflow got other values, and needs what it needed before."""

import hashlib
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.sources.config_fingerprint import load_config_fingerprints, save_config_fingerprint
from pycomfy.core.lockfile.schema import Lock, WorkflowPin, render_lock
from pycomfy.core.requirements.same_needs import has_same_needs
from pycomfy.core.versions.snapshot import WORKFLOW
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import PycomfyError
from pycomfy.services.workspace import Workspace

MAX_VERSIONS = 50
"""Versions in which the workflow is looked for that a lock was made for."""


def find_locked_workflow(workspace: Workspace, lock: Lock) -> bytes | None:
    """Return the workflow that a lock was made for, where one of the newest versions has it."""
    repository = workspace.versions
    if lock.name not in repository.names():
        return None
    commits = [version.commit for version in repository.versions(lock.name)[:MAX_VERSIONS]]
    found = (files.get(WORKFLOW) for files in repository.read_some(commits, (WORKFLOW,)).values())
    return next((data for data in found if data is not None and _hash(data) == lock.workflow.sha256), None)


def keep_pins(lock: Lock, before: bytes, after: bytes) -> Lock | None:
    """Return the lock for the workflow `after` with the pins that it has for `before`; None where these may differ."""
    if lock.workflow.sha256 != _hash(before):
        return None
    try:
        old, new = (parse_workflow(data, where="the workflow") for data in (before, after))
        same = has_same_needs(old, new, lock.model_inputs)
    except PycomfyError:  # whoever locks it says what is wrong with it
        return None
    return lock.model_copy(update={"workflow": WorkflowPin(sha256=_hash(after))}) if same else None


def write_kept(workspace: Workspace, path: Path, text: str, lock: Lock) -> None:
    """Write a lock in the place of `text`. It is of the same pycomfy.toml as that."""
    new = render_lock(lock)
    write_file(path, new)
    for fingerprint in load_config_fingerprints(text, workspace.paths):
        save_config_fingerprint(new, fingerprint, workspace.paths)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
