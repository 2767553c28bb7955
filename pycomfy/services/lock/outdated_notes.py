"""Note packages that are old because their newer versions exist as source only, which pip would build unasked."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.python.simple_index import find_indexes, list_sdists
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.errors import NetworkError
from pycomfy.services.workspace import Workspace

OLD = timedelta(days=365)
"""Only a version this old is checked: a source that was uploaded yesterday may get its wheels tomorrow."""


def note_outdated(
    workspace: Workspace, request: ResolutionRequest, pylock: Mapping[str, Any], wheels: Sequence[Wheel]
) -> list[str]:
    """Return a remark for each package that is required by name and has a newer version that could be built."""
    required = {a.name for one in request.requirement_sets for a in one.requirements if a.direct_reference is None}
    uploads = dict(_uploads(pylock))
    old = {
        w.name: w
        for w in wheels
        if w.name in required and w.built is None and (when := uploads.get(w.name)) and request.as_of - when > OLD
    }
    if not old:
        return []
    config = request.index_config
    usual, reserved = find_indexes("", config), config.reserved
    indexes = {name: (config.address(reserved[name]),) if name in reserved else usual for name in old}
    newer = run_concurrently(
        {name: partial(_find_newer_source, workspace, request, old[name], indexes[name]) for name in old}
    )
    return [
        f"{name} {old[name].version} of {uploads[name]:%Y} is taken, because newer ones, up to {version}, exist as "
        f"source only; to have them built, add to pycomfy.toml: [wheels.{name}]"
        for name, version in sorted(newer.items())
        if version
    ]


def _uploads(pylock: Mapping[str, Any]) -> Iterator[tuple[str, datetime]]:
    for package in pylock.get("packages", ()):
        times = [w.get("upload-time") for w in package.get("wheels", ())]
        dated = [t for t in times if isinstance(t, datetime) and t.tzinfo]
        if dated:
            yield canonicalize_name(str(package.get("name"))), max(dated)


def _find_newer_source(workspace: Workspace, request: ResolutionRequest, wheel: Wheel, indexes: Sequence[str]) -> str:
    """The newest version that all requirements accept and that has no wheel, if it is newer; else "". The answer for a
    date does not change, so it is cached."""
    accepted = _find_accepted(request, wheel.name)
    target = request.target
    data = [wheel.filename, str(accepted), request.as_of.isoformat(), target.platform, target.python, *indexes]
    known = workspace.paths.cache / "newer" / hashlib.sha256(json.dumps(data).encode()).hexdigest()
    try:
        return known.read_text()
    except OSError:
        pass
    try:
        sdists = list_sdists(wheel.name, indexes, target, request.as_of)
    except NetworkError:
        return ""
    found = next((s for s in sdists if not s.version.is_prerelease and accepted.contains(s.version)), None)
    newer = str(found.version) if found and not found.wheel and found.version > Version(wheel.version) else ""
    write_file(known, newer)
    return newer


def _find_accepted(request: ResolutionRequest, name: str) -> SpecifierSet:
    """The versions that all requirements of the package accept; an override replaces them."""
    overrides = [r.specifier for o in request.overrides if canonicalize_name((r := Requirement(o)).name) == name]
    required = [
        Requirement(a.text).specifier
        for one in request.requirement_sets
        for a in (*one.requirements, *one.constraints)
        if a.name == name and a.direct_reference is None
    ]
    accepted = SpecifierSet()
    for specifiers in overrides or required:
        accepted &= specifiers
    return accepted
