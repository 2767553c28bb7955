"""A version as it is compared: its files read, with what was built of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pycomfy.core.interface.model import Interface, parse_interface
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, BadLock, PycomfyError

LOCK, WORKFLOW, PROMPT, INTERFACE = "pycomfy.lock", "workflow.json", "prompt.json", "interface.json"

FILES = (LOCK, WORKFLOW, PROMPT, INTERFACE)
"""The files of a project that say what a version is; all others say how it is built."""


@dataclass(frozen=True)
class Snapshot:
    """`label` names the version; `lock_sha256` is of the lock's bytes, if it was read. `prompt` and `interface` are
    None where nobody asked the image for its nodes."""

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
    """The snapshot of a project's files. Raises `BadLock`, `BadWorkflow` or `BadInput` for files that are none."""
    missing = [name for name in (LOCK, WORKFLOW) if name not in files]
    if missing:
        raise BadLock(f"it has no {missing[0]}", where=label, fix="it is no project of pycomfy; take another version")
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
        # Recorded by something that could read more than we do: there is nothing to compare, but no harm either.
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
        value = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise BadInput(f"not JSON: {e}", where=f"prompt.json of {label}", fix="take another version") from e
    return value if isinstance(value, dict) else None
