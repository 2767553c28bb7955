"""Note packages that are old because newer versions, or what these require, exist as source only.

pip would build them unasked.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.python.resolver import lacking_packages, newest_versions
from pycomfy.adapters.python.simple_index import find_indexes, list_sdists
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.requirements import make_requirement_set
from pycomfy.errors import NetworkError
from pycomfy.services.workspace import Workspace

OLD = timedelta(days=365)
"""Only a version this old is checked: a source that was uploaded yesterday may get its wheels tomorrow."""


def note_outdated(
    workspace: Workspace,
    request: ResolutionRequest,
    pylock: Mapping[str, Any],
    wheels: Sequence[Wheel],
    made: Collection[str] = (),
) -> list[str]:
    """Return a remark for each package that is required by name and has a newer version that could be built, or whose
    dependency could be. `made` are the packages that were built for this lock."""
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
    notes = {
        name: f"{name} {old[name].version} of {uploads[name]:%Y} is taken, because newer ones, up to {version}, exist "
        f"as source only; to have them built, add to pycomfy.toml: [wheels.{name}]"
        for name, version in newer.items()
        if version
    }
    blocked = _find_blocked(workspace, request, {name: w for name, w in old.items() if not newer[name]}, usual, made)
    for name, (version, lacking) in blocked.items():
        needs = " and ".join(lacking)
        tables = " and ".join(f"[wheels.{one}]" for one in lacking)
        exists = "exists" if len(lacking) == 1 else "exist"
        notes[name] = (
            f"{name} {old[name].version} of {uploads[name]:%Y} is taken, because newer ones, up to {version}, require "
            f"{needs}, which {exists} as source only; to have that built, add to pycomfy.toml: {tables}"
        )
    return [notes[name] for name in sorted(notes)]


def _find_blocked(
    workspace: Workspace,
    request: ResolutionRequest,
    old: Mapping[str, Wheel],
    indexes: Sequence[str],
    made: Collection[str],
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Those of the packages that have a newer version with a wheel that is not taken only because packages without
    wheels are required by it: that version, and these packages. The answer for a date does not change, so it is
    cached."""
    if not old:
        return {}
    lines = [f"{name}{_find_accepted(request, name)}" for name in sorted(old)]
    data = [
        [w.filename for _, w in sorted(old.items())],
        [one.text for s in request.requirement_sets for one in (*s.requirements, *s.constraints)],
        [*request.overrides, *sorted(made), request.as_of.isoformat(), request.target.platform, request.target.python],
        [request.index_config.accelerator, *indexes],
    ]
    known = workspace.paths.cache / "blocked" / f"{hashlib.sha256(json.dumps(data).encode()).hexdigest()}.json"
    try:
        return {name: (version, tuple(lacking)) for name, (version, lacking) in json.loads(known.read_bytes()).items()}
    except (OSError, ValueError):
        pass
    cache = workspace.paths.cache
    alone = replace(request, requirement_sets=[make_requirement_set("pycomfy", lines, "")], overrides=())
    newest = newest_versions(alone, cache)
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name, wheel in sorted(old.items()):
        if name not in newest or Version(newest[name]) <= Version(wheel.version):
            continue
        pinned = make_requirement_set("pycomfy", [f"{name}=={newest[name]}"], "")
        excludes = tuple(sorted({*request.excludes, *made}))
        wished = replace(request, requirement_sets=[*request.requirement_sets, pinned], excludes=excludes)
        lacking = lacking_packages(wished, cache)
        try:
            buildable = [_has_source(one, request) for one in sorted(lacking)]
        except NetworkError:
            return {}
        if lacking and all(buildable):
            found[name] = newest[name], tuple(sorted(lacking))
    write_file(known, json.dumps(found))
    return found


def _has_source(name: str, request: ResolutionRequest) -> bool:
    indexes = find_indexes(name, request.index_config)
    return bool(list_sdists(name, indexes, request.target, request.as_of))


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
