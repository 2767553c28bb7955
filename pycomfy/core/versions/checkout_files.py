"""Make the files to go on working with from a version: its workflow, its lock, and a pycomfy.toml that gives the same
lock again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pycomfy.core.lockfile.config import SUITES, Config, parse_config
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.schema import Lock, render_lock
from pycomfy.core.lockfile.toml import render_document
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.versions.snapshot import LOCK, WORKFLOW, Snapshot
from pycomfy.errors import PycomfyError


def working_files(name: str, snapshot: Snapshot, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files by path, for the workflow's name `name`. `files` is the version's project, `snapshot` what it
    says."""
    lock = snapshot.lock.model_copy(update={"name": name})
    given = _read_config(files.get(CONFIG_FILE))
    named = [source.config_files(name) for name, source in lock.sources.items()]
    return {
        WORKFLOW: files[WORKFLOW],
        LOCK: render_lock(lock).encode(),
        CONFIG_FILE: _render(lock, given).encode(),
        **{path: data for one in named for path, data in one.items()},
    }


def local_sources(lock: Lock) -> dict[str, str]:
    """Return the path of each source that is a folder of somebody's machine, by name."""
    return {name: path for name, source in lock.sources.items() if (path := source.local_path) is not None}


def _read_config(data: bytes | None) -> Config:
    """Read what the user once configured; an empty configuration if that cannot be read any more."""
    if data is None:
        return Config()
    try:
        return parse_config(data.decode("utf-8-sig", errors="replace"))
    except PycomfyError:
        return Config()


def _render(lock: Lock, given: Config) -> str:
    """Return what the user configured, with the pins of the lock in place of what was resolved."""
    pinned = {
        "name": lock.name,
        "as_of": datetime.fromisoformat(lock.as_of),
        "python": lock.python,
        "suite": SUITES[lock.python],
        "platforms": tuple(sorted(lock.platforms)),
    }
    keys = given.model_copy(update=pinned).model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    keys["comfyui"] = source_keys(COMFYUI, lock.comfyui.source, given.comfyui)
    keys["packs"] = {
        pack.name: {
            **source_keys(pack.name, pack.source, given.packs.get(pack.name)),
            **({"steps": [{"run": list(step.run)} for step in pack.steps]} if pack.steps else {}),
        }
        for pack in lock.packs
    }
    return render_document(keys)


def source_keys(name: str, source: LockSource, given: SourceSpec | None = None) -> dict[str, Any]:
    """Return what pycomfy.toml says for the source as it is pinned, with what the user wrote of it besides."""
    keys = source.config_keys(name, given)
    if given is not None and given.requirements is not None:
        keys["requirements"] = list(given.requirements)
    if given is not None and given.types:
        keys["types"] = list(given.types)
    return keys
