"""Resolve Python packages with the program `uv`: for another platform, as of a date, with hashes; nothing is built.

Only wheels are considered: to learn what an sdist requires, uv would have to run its code here.
"""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.python.torch_resolution import resolve_for_variant
from pycomfy.adapters.python.uv_errors import explain_failure, find_failure, find_hidden_conflict, find_lacking
from pycomfy.adapters.python.uv_process import UvOutcome, read_versions
from pycomfy.adapters.python.uv_request import ResolutionRequest, UvRequest, explain, resolve, resolve_single
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.requirements import RequirementSet
from pycomfy.core.python.torch_variants import find_variant
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.errors import BadConfig, NotFound, ResolutionImpossible, raise_all

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""The date of a request in which no package has one."""


def compile_pylock(request: ResolutionRequest, cache: Path) -> dict[str, Any]:
    """Return uv's answer, a parsed `pylock.toml` (PEP 751). It is kept in `cache` for a day.

    Nothing new can have been uploaded before a date that has passed, so the day matters only for what was withdrawn.

    With an accelerator, PyTorch's packages are the builds for it: see `torch_resolution`.

    Raises `ResolutionImpossible` with uv's explanation and the origins of the requirements, `NoMatchingDistribution`
    for all packages that exist only as source or for other platforms, `NetworkError` without an index, `MissingTool`
    without uv.
    """
    known = cache if request.as_of < datetime.now(UTC) else None
    with scratch_folder() as folder:
        outcome, uv = _resolve(request, Path(folder), known)
        if isinstance(outcome, bytes):
            return tomllib.loads(outcome.decode())
        raise_all(explain_failure(uv, outcome))
        raise AssertionError("an explanation is never empty")


def compile_exact(
    requirements: RequirementSet, target: Target, index_config: IndexConfig, cache: Path
) -> dict[str, Any]:
    """Return uv's answer to exact pins (`name==version`) that name all that they depend on, whatever their date, from
    whatever index has those versions. Indexes that are for some packages alone, such as PyTorch's, are not asked.

    The caller compares hashes. It is kept in `cache` for a day. Raises what `compile_pylock` raises.
    """
    names = tuple(line.name for line in requirements.requirements)
    common = tuple(index for index in index_config.indexes if not index.packages)
    request = ResolutionRequest(
        (requirements,),
        target,
        _NEVER,
        index_config=replace(index_config, indexes=common, accelerator=None),
        undated=names,
        any_index=True,
    )
    with scratch_folder() as folder:
        outcome, uv = resolve(request, Path(folder), cache, "--no-deps")
        if isinstance(outcome, bytes):
            return tomllib.loads(outcome.decode())
        raise_all(explain_failure(uv, outcome))
        raise AssertionError("an explanation is never empty")


def explain_conflict(request: ResolutionRequest, cache: Path) -> ResolutionImpossible | None:
    """Return the conflict that hides behind a missing wheel: every package that uv names as one without wheels has
    usable ones in the versions that it is required in, and they do not fit the rest. None if a wheel is missing."""
    with scratch_folder() as folder:
        outcome, uv = _resolve(request, Path(folder), cache)
        return find_hidden_conflict(uv, outcome) if isinstance(outcome, str) else None


def newest_versions(request: ResolutionRequest, cache: Path) -> dict[str, str]:
    """Return the newest version with a wheel of each required package, whatever it depends on; none if one package has
    none."""
    with scratch_folder() as folder:
        outcome, _ = resolve(request, Path(folder), cache, "--no-deps")
    return read_versions(outcome)


def can_be_resolved(request: ResolutionRequest, cache: Path) -> bool:
    """Return whether there is an answer to a request."""
    with scratch_folder() as folder:
        return isinstance(resolve(request, Path(folder), cache)[0], bytes)


def lacking_packages(request: ResolutionRequest, cache: Path) -> frozenset[str]:
    """Return the packages without wheels that alone keep a request from being resolved."""
    with scratch_folder() as folder:
        outcome, uv = resolve(request, Path(folder), cache)
        return find_lacking(uv, outcome) if isinstance(outcome, str) else frozenset()


def _resolve(request: ResolutionRequest, folder: Path, cache: Path | None) -> tuple[UvOutcome, UvRequest]:
    variant = find_variant(request.index_config, request.target.platform)
    if variant is None:
        return resolve(request, folder, cache)
    return resolve_for_variant(request, variant, folder, cache)


def pin_wheel(
    pin: str, target: Target, cache: Path, index_config: IndexConfig = DEFAULT_INDEXES
) -> tuple[Wheel, datetime | None]:
    """Return the wheel of an exact pin (`name==version`), without its dependencies, and when it was uploaded, if the
    index says so.

    Raises `NotFound` if there is no such wheel, `BadConfig` if it is not for every platform.
    """
    with scratch_folder() as folder:
        outcome = resolve_single(pin, target, index_config, Path(folder), cache)
    if isinstance(outcome, str):
        what, fix = f"there is no wheel {pin}: {explain(outcome)}", "correct the name or the version"
        raise find_failure(outcome) or NotFound(what, where="pycomfy.toml", fix=fix)
    pylock = tomllib.loads(outcome.decode())
    (wheel,) = choose_wheels(pylock, target.platform, target.python)
    if not wheel.filename.endswith("-none-any.whl"):
        raise BadConfig(
            f"{wheel.filename} is not the same for every platform",
            where="pycomfy.toml",
            fix="name a wheel that ends in -none-any.whl",
        )
    uploads = [w.get("upload-time") for p in pylock["packages"] for w in p["wheels"]]
    times = [moment.astimezone(UTC) for moment in uploads if isinstance(moment, datetime) and moment.tzinfo]
    return wheel, max(times, default=None)
