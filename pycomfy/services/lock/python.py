"""Resolve the Python packages of a lock: all requirements become one set of wheels for each platform."""

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.concurrency import flatten_errors, run_concurrently
from pycomfy.adapters.io.download import fetch
from pycomfy.adapters.io.http_client import local_path
from pycomfy.adapters.python.uv_process import local_folders, with_login
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.debian.base_packages import base_packages
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.package_indexes import IndexConfig, strip_logins
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root, Wheel
from pycomfy.core.python.alternatives import TargetContext
from pycomfy.core.python.requirements import RequirementSet
from pycomfy.core.python.wheel_selection import Target, choose_wheels, undated_wheels
from pycomfy.errors import BadConfig, BadInput, NotFound, Placeholder, PycomfyError, combine, raise_all, suggest_retry
from pycomfy.services.lock.outdated_notes import note_outdated
from pycomfy.services.lock.python_alternatives import resolve_with_alternatives
from pycomfy.services.lock.wheel_builder import BuildContext, WheelBuilder
from pycomfy.services.lock.wheel_clashes import settle_wheels
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PythonRequest:
    """What to resolve: the requirements of every origin, as `config` says, from packages in `indexes` uploaded before
    `as_of`. Paths in the configuration are relative to `base`, those in the lock to `folder`. `pin_root` pins a
    platform's root filesystem with additional packages; it is called if a wheel has to be built."""

    config: Config
    requirement_sets: Sequence[RequirementSet]
    indexes: IndexConfig
    as_of: datetime
    base: Path
    folder: Path
    pin_root: Callable[[PlatformName, Sequence[str]], Root]

    def for_platform(self, platform: PlatformName) -> ResolutionRequest:
        """The request for one platform."""
        target = Target(platform, self.config.python)
        return ResolutionRequest(self.requirement_sets, target, self.as_of, self.config.overrides, self.indexes)


@dataclass(frozen=True)
class ResolvedPython:
    """The wheels of each platform, the root filesystems with compilers that some of them were built in, and remarks for
    the user."""

    wheels: Mapping[PlatformName, tuple[Wheel, ...]]
    notes: tuple[str, ...] = ()
    compilers: Mapping[PlatformName, Root] = field(default_factory=dict)


def read_index_config(config: Config, base: Path, environment: Mapping[str, str]) -> IndexConfig:
    """Return the package indexes of pycomfy.toml and the environment. Raises `NotFound` for every folder of wheels that
    does not exist, and `BadConfig` for an index that needs an accelerator to be chosen."""
    locations: list[str] = []
    problems: list[PycomfyError] = []
    for location in config.find_links:
        folder = (base / location).absolute()
        if "://" in location:
            locations.append(location)
        elif folder.is_dir():
            locations.append(str(folder))
        else:
            problems.append(
                NotFound(f"there is no folder {location}", where=str(folder), fix="correct find-links in pycomfy.toml")
            )
    indexes = tuple(spec.index for spec in config.index)
    problems += [
        BadConfig(
            f"the index {index.name} has one address per accelerator, and no accelerator is chosen",
            where="pycomfy.toml",
            fix=(
                'choose one in pycomfy.toml: accelerator = "cu128"',
                suggest_retry("lock", "like cu128", accelerator=Placeholder("ACCELERATOR")),
            ),
        )
        for index in indexes
        if index.per_accelerator and config.accelerator is None
    ]
    raise_all(problems)
    return IndexConfig(indexes, tuple(locations), config.accelerator, environment)


def resolve_python(workspace: Workspace, request: PythonRequest) -> ResolvedPython:
    """Resolve for every platform at once. Raises what `compile_pylock` and `choose_wheels` raise."""
    platforms = request.config.platforms
    context = BuildContext(request.config, request.as_of, request.indexes, request.base, request.pin_root)
    builder = WheelBuilder(context, workspace)
    with operation.step("Resolve Python packages", total=len(platforms)) as task:
        try:
            found = run_concurrently({p: partial(_resolve, request, p, builder) for p in platforms}, task.advance)
        except PycomfyError as e:
            raise combine(_merge_platforms(flatten_errors(e), platforms)) from e.__cause__
    notes = dict.fromkeys(note for _, of_platform in found.values() for note in of_platform)
    notes |= dict.fromkeys([*(builder.notes[name] for name in sorted(builder.notes)), *builder.note_unused()])
    wheels = {p: found[p][0] for p in platforms}
    compiled = {p for p in platforms if any(w.built is not None and w.built.compiler for w in wheels[p])}
    return ResolvedPython(wheels, tuple(notes), {p: builder.compilers[p] for p in compiled})


def _merge_platforms(problems: Sequence[PycomfyError], platforms: Sequence[PlatformName]) -> list[PycomfyError]:
    """The problems, with those that are the same on several platforms as one that names all of them."""
    merged: list[tuple[PycomfyError, list[str]]] = []
    for problem in problems:
        texts = [problem.what, problem.where, *(fix for fix in problem.fixes if isinstance(fix, str))]
        platform = next((p for p in platforms if any(p in text for text in texts)), "")
        general = _rename_platform(problem, platform, "\0") if platform else problem
        same = next((names for other, names in merged if _is_equal(general, other)), None)
        if same is None:
            merged.append((general, [platform]))
        else:
            same.append(platform)
    return [_rename_platform(general, "\0", " and ".join(dict.fromkeys(names))) for general, names in merged]


def _rename_platform(problem: PycomfyError, old: str, new: str) -> PycomfyError:
    renamed = copy.copy(problem)
    renamed.what, renamed.where = problem.what.replace(old, new), problem.where.replace(old, new)
    renamed.fixes = tuple(fix.replace(old, new) if isinstance(fix, str) else fix for fix in problem.fixes)
    return renamed


def _is_equal(one: PycomfyError, other: PycomfyError) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in ("code", "what", "where", "details", "fixes"))


def _resolve(
    request: PythonRequest, platform: PlatformName, builder: WheelBuilder
) -> tuple[tuple[Wheel, ...], list[str]]:
    """A platform's wheels, and remarks."""
    config, workspace = request.config, builder.workspace
    context = TargetContext(frozenset({*base_packages(config.python), *config.apt}), config.accelerator)
    resolution_request = request.for_platform(platform)
    resolution, notes = resolve_with_alternatives(resolution_request, config.alternatives, context, builder)
    wheels = choose_wheels(resolution.pylock, platform, config.python)
    if undated := [w for w in undated_wheels(resolution.pylock, wheels) if w.name not in resolution.made]:
        names = ", ".join(f"{w.name} {w.version}" for w in undated)
        notes.append(f"the upload date of these packages is unknown, so they are taken whatever the date: {names}")
    located = [resolution.find_made(w) or locate_wheel(workspace, w, request) for w in wheels]
    settled = settle_wheels(workspace, config, located)
    made, pylock = resolution.made, resolution.pylock
    notes += note_outdated(workspace, resolution_request, pylock, wheels, made, settled.empty)
    return settled.wheels, [*notes, *settled.notes]


def locate_wheel(workspace: Workspace, wheel: Wheel, request: PythonRequest) -> Wheel:
    """Return the wheel as the lock names it. One on this disk is named by its path: relative to the lock if it is below
    a relative path of pycomfy.toml, else absolute."""
    path = local_path(wheel.url)
    if path is None:
        _fetch_guarded(workspace, wheel, request)
        return wheel.model_copy(update={"url": strip_logins(wheel.url)})
    if not any(path.is_relative_to(root) for root in local_folders(request.indexes)):
        raise BadInput(
            f"a package index names a file of this disk for {wheel.name}", where=str(path), fix="use another index"
        )
    try:
        size = path.stat().st_size
    except OSError as e:
        raise NotFound(f"the wheel cannot be read: {e.strerror}", where=str(path), fix="make it readable") from e
    relative = [(request.base / p).absolute() for p in request.config.find_links if not Path(p).is_absolute()]
    movable = any(path.is_relative_to(folder) for folder in relative)
    url = os.path.relpath(path, request.folder) if movable else str(path)
    return wheel.model_copy(update={"url": url, "size": size})


def _fetch_guarded(workspace: Workspace, wheel: Wheel, request: PythonRequest) -> None:
    """Fetch a wheel from an index with a login in its URL now: the lock has no login, so nobody could later."""
    url = with_login(wheel.url, request.indexes)
    if url is not None:
        fetch(url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=workspace.paths.cache)
