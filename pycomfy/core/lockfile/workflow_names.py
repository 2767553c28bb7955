"""Name the files beside a workflow: its lock, its settings, and its table in those."""

import re

from pycomfy.core.lockfile.schema import LOCK_FILE

CONFIG_FILE, WORKFLOW_FILE = "pycomfy.toml", "workflow.json"

SECTIONS = "workflows"
"""The table of pycomfy.toml with a table for each workflow that has settings of its own."""

NOT_WORKFLOWS = frozenset({"prompt.json", "interface.json"})
"""What pycomfy writes beside a workflow; the first has the form of one."""

JSON = ".json"
_LOCK_KEYS = tuple(re.compile(rf'"{key}"\s*:') for key in ("as_of", "comfyui"))


def is_lock(text: str) -> bool:
    """Return whether a file with that text may be replaced as a lock of pycomfy: a damaged one too, and an empty file,
    but not the lock of another program, such as Cargo.lock or flake.lock."""
    return not text.strip() or all(key.search(text) for key in _LOCK_KEYS)


def section_name(file: str) -> str:
    """Return the name of a workflow's file in pycomfy.toml: without `.json`, but with any other suffix."""
    return file.removesuffix(JSON) or file


def own_locks(file: str) -> tuple[str, ...]:
    """Return the names that a workflow's own lock may have. The second is for a folder in which another program has a
    lock of the first name."""
    names = dict.fromkeys((f"{section_name(file)}.lock", f"{file}.lock"))
    return tuple(name for name in names if name.casefold() != LOCK_FILE)


def is_candidate(file: str) -> bool:
    """Return whether a file with that name may have a workflow in it."""
    return file not in NOT_WORKFLOWS and not file.endswith((".lock", ".toml"))
