"""The Python packages of a lock: what everybody wants becomes one set of wheels for each platform."""

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
from pycomfy.errors import BadConfig, BadInput, NotFound, PycomfyError, raise_all
from pycomfy.services.lock.outdated_notes import note_outdated
from pycomfy.services.lock.python_alternatives import resolve_with_alternatives
from pycomfy.services.lock.wheel_builder import BuildContext, WheelBuilder
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PythonRequest:
    """What to resolve: `wants` of all, with what `config` says, from packages in `indexes` uploaded before `as_of`.
    Paths in the configuration are relative to `base`, those in the lock to `folder`. `pin_root` pins a platform's
    Debian with some more packages; it is called if a wheel has to be built."""

    config: Config
    wants: Sequence[RequirementSet]
    indexes: IndexConfig
    as_of: datetime
    base: Path
    folder: Path
    pin_root: Callable[[PlatformName, Sequence[str]], Root]

    def question(self, platform: PlatformName) -> ResolutionRequest:
        target = Target(platform, self.config.python)
        return ResolutionRequest(self.wants, target, self.as_of, self.config.overrides, self.indexes)


@dataclass(frozen=True)
class ResolvedPython:
    """The wheels of each platform, the Debian roots with compilers that some of them were built in, and remarks for the
    user."""

    wheels: Mapping[PlatformName, tuple[Wheel, ...]]
    notes: tuple[str, ...] = ()
    compilers: Mapping[PlatformName, Root] = field(default_factory=dict)


def read_index_config(config: Config, base: Path, environment: Mapping[str, str]) -> IndexConfig:
    """Return where packages are, by pycomfy.toml and the environment. Raises `NotFound` for every folder of wheels that
    is missing."""
    places: list[str] = []
    problems: list[PycomfyError] = []
    for place in config.find_links:
        folder = (base / place).absolute()
        if "://" in place:
            places.append(place)
        elif folder.is_dir():
            places.append(str(folder))
        else:
            problems.append(
                NotFound(f"there is no folder {place}", where=str(folder), fix="correct find-links in pycomfy.toml")
            )
    indexes = tuple(spec.index for spec in config.index)
    problems += [
        BadConfig(
            f"the index {index.name} is another one for each accelerator, and none is chosen",
            where="pycomfy.toml",
            fix='choose one: accelerator = "cu128", or --accelerator cu128',
        )
        for index in indexes
        if index.per_accelerator and config.accelerator is None
    ]
    raise_all(problems)
    return IndexConfig(indexes, tuple(places), config.accelerator, environment)


def resolve_python(workspace: Workspace, asked: PythonRequest) -> ResolvedPython:
    """Resolve for every platform at once. Raises what `compile_pylock` and `choose_wheels` raise."""
    platforms = asked.config.platforms
    place = BuildContext(asked.config, asked.as_of, asked.indexes, asked.base, asked.pin_root)
    builder = WheelBuilder(place, workspace)
    with operation.step("Resolve Python packages", total=len(platforms)) as task:
        try:
            found = run_concurrently({p: partial(_solve, asked, p, builder) for p in platforms}, task.advance)
        except PycomfyError as e:
            raise_all(_told_once(flatten_errors(e), platforms))
            raise
    notes = dict.fromkeys(note for _, told in found.values() for note in told)
    notes |= dict.fromkeys([*(builder.notes[name] for name in sorted(builder.notes)), *builder.tell_unused()])
    wheels = {p: found[p][0] for p in platforms}
    compiled = {p for p in platforms if any(w.built is not None and w.built.compiler for w in wheels[p])}
    return ResolvedPython(wheels, tuple(notes), {p: builder.compilers[p] for p in compiled})


def _told_once(problems: Sequence[PycomfyError], platforms: Sequence[PlatformName]) -> list[PycomfyError]:
    """Merge problems that are the same on several platforms into one that names them all."""
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
    fixes = [fix.replace(old, new) if isinstance(fix, str) else fix for fix in problem.fixes]
    return type(problem)(problem.what.replace(old, new), where=problem.where.replace(old, new), fix=fixes)


def _is_equal(one: PycomfyError, other: PycomfyError) -> bool:
    return (type(one), one.what, one.where, one.fixes) == (type(other), other.what, other.where, other.fixes)


def _solve(asked: PythonRequest, platform: PlatformName, builder: WheelBuilder) -> tuple[tuple[Wheel, ...], list[str]]:
    debian = frozenset({*base_packages(asked.config.python), *asked.config.apt})
    around = TargetContext(debian, asked.config.accelerator)
    found, notes = resolve_with_alternatives(asked.question(platform), asked.config.families, around, builder)
    wheels = choose_wheels(found.pylock, platform, asked.config.python)
    if undated := [w for w in undated_wheels(found.pylock, wheels) if w.name not in found.made]:
        shown = ", ".join(f"{w.name} {w.version}" for w in undated)
        notes.append(f"nothing says when these were uploaded; they are taken whatever the date: {shown}")
    notes += note_outdated(builder.workspace, asked.question(platform), found.pylock, wheels)
    return tuple(found.of(wheel) or _place(builder.workspace, wheel, asked) for wheel in wheels), notes


def _keep_guarded(workspace: Workspace, wheel: Wheel, asked: PythonRequest) -> None:
    """A wheel of an index whose URL holds its login is fetched now: the lock has no login, so nobody could later."""
    url = with_login(wheel.url, asked.indexes)
    if url is not None:
        fetch(url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=workspace.paths.cache)


def _place(workspace: Workspace, wheel: Wheel, asked: PythonRequest) -> Wheel:
    """A wheel on this disk is named by its path: relative to the lock where pycomfy.toml says it so, else absolute."""
    path = local_path(wheel.url)
    if path is None:
        _keep_guarded(workspace, wheel, asked)
        return wheel.model_copy(update={"url": strip_logins(wheel.url)})
    if not any(path.is_relative_to(root) for root in local_folders(asked.indexes)):
        raise BadInput(
            f"a package index names a file of this disk for {wheel.name}", where=str(path), fix="use another index"
        )
    try:
        size = path.stat().st_size
    except OSError as e:
        raise NotFound(f"the wheel cannot be read: {e.strerror}", where=str(path), fix="make it readable") from e
    roots = [(asked.base / place).absolute() for place in asked.config.find_links if not Path(place).is_absolute()]
    beside = any(path.is_relative_to(root) for root in roots)
    return wheel.model_copy(update={"url": os.path.relpath(path, asked.folder) if beside else str(path), "size": size})
