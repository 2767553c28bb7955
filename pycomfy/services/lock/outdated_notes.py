"""Packages of which an old version is taken because newer ones exist as source only: pip would build those unasked."""

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
"""Only a version this old is looked into: a source that was uploaded yesterday may get its wheels tomorrow."""


def note_outdated(
    workspace: Workspace, question: ResolutionRequest, pylock: Mapping[str, Any], wheels: Sequence[Wheel]
) -> list[str]:
    """A remark for each package that somebody asks for by name, and of which a newer version could be built."""
    asked = {a.name for wants in question.requirement_sets for a in wants.requirements if a.direct_reference is None}
    uploads = dict(_uploads(pylock))
    old = {
        w.name: w
        for w in wheels
        if w.name in asked and w.built is None and (when := uploads.get(w.name)) and question.as_of - when > OLD
    }
    if not old:
        return []
    usual, reserved = find_indexes("", question.index_config), question.index_config.reserved
    places = {name: (question.index_config.address(reserved[name]),) if name in reserved else usual for name in old}
    newer = run_concurrently(
        {name: partial(_newer_source, workspace, question, old[name], places[name]) for name in old}
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


def _newer_source(workspace: Workspace, question: ResolutionRequest, wheel: Wheel, indexes: Sequence[str]) -> str:
    """The newest version that everybody accepts and that has no wheel, if it is newer; else "". What was so before a
    date that has passed stays so, and is asked once."""
    accepted = _accepted(question, wheel.name)
    target = question.target
    data = [wheel.filename, str(accepted), question.as_of.isoformat(), target.platform, target.python, *indexes]
    known = workspace.paths.cache / "newer" / hashlib.sha256(json.dumps(data).encode()).hexdigest()
    try:
        return known.read_text()
    except OSError:
        pass
    try:
        sdists = list_sdists(wheel.name, indexes, target, question.as_of)
    except NetworkError:
        return ""
    found = next((s for s in sdists if not s.version.is_prerelease and accepted.contains(s.version)), None)
    newer = str(found.version) if found and not found.wheel and found.version > Version(wheel.version) else ""
    write_file(known, newer)
    return newer


def _accepted(question: ResolutionRequest, name: str) -> SpecifierSet:
    """The versions that all accept who ask for it by name; an override replaces what they ask."""
    overrides = [r.specifier for o in question.overrides if canonicalize_name((r := Requirement(o)).name) == name]
    asked = [
        Requirement(a.text).specifier
        for wants in question.requirement_sets
        for a in (*wants.requirements, *wants.constraints)
        if a.name == name and a.direct_reference is None
    ]
    accepted = SpecifierSet()
    for specifiers in overrides or asked:
        accepted &= specifiers
    return accepted
