"""Read a version as it is compared: its parsed files, with what was built of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pycomfy.core.interface.model import Interface, parse_interface
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import LOCK_FILE, Lock, parse_lock
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadInput, BadLock, BadWorkflow, PycomfyError

LOCK, WORKFLOW, PROMPT, INTERFACE = LOCK_FILE, "workflow.json", "prompt.json", "interface.json"

FILES = (LOCK, WORKFLOW, PROMPT, INTERFACE)
"""The files of a project that say what a version is; the others say how it is built."""


@dataclass(frozen=True)
class Snapshot:
    """`label` names the version; `lock_sha256` is of the lock's bytes, if it was read. `prompt` and `interface` are
    None where the image was not started for its nodes."""

    label: str
    lock: Lock
    workflow: Workflow
    prompt: Mapping[str, object] | None = None
    interface: Interface | None = None
    images: Mapping[PlatformName, BuiltImage] = field(default_factory=dict)
    lock_sha256: str = ""


def read_snapshot(
    label: str, files: Mapping[str, bytes], images: Mapping[PlatformName, BuiltImage] | None = None
) -> Snapshot:
    """Read the files of a project. Raises `BadLock` without a lock or a workflow, and for a malformed lock; `BadInput`
    for a prompt that is not JSON."""
    missing = [name for name in (LOCK, WORKFLOW) if name not in files]
    if missing:
        fix = "take another version: this one is not a project of pycomfy"
        raise BadLock(f"it has no {missing[0]}", where=label, fix=fix)
    interface = files.get(INTERFACE)
    return Snapshot(
        label,
        parse_lock(files[LOCK].decode(errors="replace"), where=f"pycomfy.lock of {label}"),
        _workflow(label, files[WORKFLOW]),
        _prompt(label, files.get(PROMPT)),
        None if interface is None else _interface(label, interface),
        images or {},
        hashlib.sha256(files[LOCK]).hexdigest(),
    )


def _workflow(label: str, data: bytes) -> Workflow:
    try:
        return parse_workflow(data, where=f"workflow.json of {label}")
    except PycomfyError:
        # Committed by a pycomfy that reads more than this one: there is nothing to compare, but no harm either.
        return Workflow("ui-1")


def _interface(label: str, data: bytes) -> Interface | None:
    try:
        return parse_interface(data.decode(errors="replace"), where=f"interface.json of {label}")
    except BadInput:
        return None


def _prompt(label: str, data: bytes | None) -> Mapping[str, object] | None:
    if data is None:
        return None
    try:
        value = parse_json(data, where=f"prompt.json of {label}")
    except BadWorkflow as e:
        raise BadInput(e.what, where=e.where, fix="take another version") from e
    return value if isinstance(value, dict) else None
