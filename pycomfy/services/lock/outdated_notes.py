"""Note packages that are old because newer versions, or what these require, exist as source only.

pip would build them unasked.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.python.resolver import can_be_resolved, lacking_packages, newest_versions
from pycomfy.adapters.python.simple_index import find_indexes, list_sdists
from pycomfy.adapters.python.uv_request import LocalWheel, ResolutionRequest
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.build_recipe import make_placeholder_wheel
from pycomfy.core.python.requirements import make_requirement_set
from pycomfy.errors import NetworkError
from pycomfy.services.workspace import Workspace

OLD = timedelta(days=365)
"""Only a version this old is checked: a source that was uploaded yesterday may get its wheels tomorrow."""

JOBS = 4
"""How many answers of uv and indexes are waited for at once."""


def note_outdated(
    workspace: Workspace,
    request: ResolutionRequest,
    pylock: Mapping[str, Any],
    wheels: Sequence[Wheel],
    made: Collection[str] = (),
    empty: Collection[str] = (),
) -> list[str]:
    """Return a remark for each package that is old or `empty`, and has a newer version that could be built, or whose
    dependency could be; of dependencies that nobody requires by name, too, where everything that requires them takes
    the newer version. `made` are the packages that were built for this lock."""
    uploads = dict(_uploads(pylock))
    old = {
        w.name: w
        for w in wheels
        if w.built is None
        and w.name not in made
        and (w.name in empty or ((when := uploads.get(w.name)) and request.as_of - when > OLD))
    }
    if not old:
        return []
    config = request.index_config
    usual, reserved = find_indexes("", config), config.reserved
    indexes = {name: (config.address(reserved[name]),) if name in reserved else usual for name in old}
    newer = run_concurrently(
        {name: partial(_find_newer_source, workspace, request, old[name], indexes[name]) for name in old}, at_once=JOBS
    )
    required = _required_names(request)
    refused = _find_refused(workspace, request, {n: v for n, v in newer.items() if v and n not in required})
    blocked = _find_blocked(workspace, request, {name: w for name, w in old.items() if not newer[name]}, usual, made)
    notes: dict[str, str] = {}
    for name in {n for n, version in newer.items() if version} - refused | blocked.keys():
        year = f" of {uploads[name]:%Y}" if name in uploads else ""
        is_empty = ", a wheel without any module," if name in empty else ""
        head = f"{name} {old[name].version}{year}{is_empty} is taken, because newer ones, up to"
        if name not in blocked:
            notes[name] = (
                f"{head} {newer[name]}, exist as source only; to have them built, add to pycomfy.toml: [wheels.{name}]"
            )
            continue
        version, lacking = blocked[name]
        needs = " and ".join(lacking)
        tables = " and ".join(f"[wheels.{one}]" for one in lacking)
        exists = "exists" if len(lacking) == 1 else "exist"
        notes[name] = (
            f"{head} {version}, require {needs}, which {exists} as source only; to have that built, add to "
            f"pycomfy.toml: {tables}"
        )
    return [notes[name] for name in sorted(notes)]


def _required_names(request: ResolutionRequest) -> set[str]:
    return {a.name for one in request.requirement_sets for a in one.requirements if a.direct_reference is None}


def _find_refused(workspace: Workspace, request: ResolutionRequest, newer: Mapping[str, str]) -> set[str]:
    """Return those of the dependencies whose newer version something else does not take: it is resolved with a
    placeholder wheel in place of what would be built. The answer for a date does not change, so uv's is cached."""

    def is_taken(name: str, version: str, folder: Path) -> bool:
        filename, data = make_placeholder_wheel(name, version, "")
        (folder / filename).write_bytes(data)
        pinned = make_requirement_set("pycomfy", [f"{name}=={version}"], "")
        wished = replace(
            request,
            requirement_sets=[*request.requirement_sets, pinned],
            local_wheels=[*request.local_wheels, LocalWheel(filename, folder / filename)],
        )
        return can_be_resolved(wished, workspace.paths.cache)

    with scratch_folder() as folder:
        jobs = {name: partial(is_taken, name, version, Path(folder)) for name, version in newer.items()}
        taken = run_concurrently(jobs, at_once=JOBS)
    return {name for name in newer if not taken[name]}


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
    required = _required_names(request)
    newest: dict[str, str] = {}
    for names in (old.keys() & required, old.keys() - required):
        lines = [f"{name}{_find_accepted(request, name)}" for name in sorted(names)]
        alone = replace(request, requirement_sets=[make_requirement_set("pycomfy", lines, "")], overrides=())
        newest |= newest_versions(alone, cache) if lines else {}
    newer = [n for n, w in sorted(old.items()) if n in newest and Version(newest[n]) > Version(w.version)]

    def find_lacking(name: str) -> frozenset[str]:
        pinned = make_requirement_set("pycomfy", [f"{name}=={newest[name]}"], "")
        excludes = tuple(sorted({*request.excludes, *made}))
        wished = replace(request, requirement_sets=[*request.requirement_sets, pinned], excludes=excludes)
        return lacking_packages(wished, cache)

    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name, lacking in run_concurrently({name: partial(find_lacking, name) for name in newer}, at_once=JOBS).items():
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
