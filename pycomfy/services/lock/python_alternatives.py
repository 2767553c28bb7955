"""Resolve Python packages so that of alternatives, which install the same files, only one is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.lockfile.alternatives import ALL, ALTERNATIVES, SECTION
from pycomfy.core.python.alternatives import (
    SelectedAlternative,
    TargetContext,
    describe_selection,
    find_alternatives,
    replace_alternatives,
    select_alternatives,
)
from pycomfy.core.python.requirements import RequirementLine, RequirementSet
from pycomfy.errors import NoMatchingDistribution, PycomfyError, combine
from pycomfy.services.lock.python_sdists import SdistResolution, resolve_with_sdists
from pycomfy.services.lock.wheel_builder import WheelBuilder


def resolve_with_alternatives(
    request: ResolutionRequest, chosen: Mapping[str, str], context: TargetContext, builder: WheelBuilder
) -> tuple[SdistResolution, list[str]]:
    """Resolve as `resolve_with_sdists` does, and return also a remark wherever several alternatives are
    required. `chosen` is the user's choice by the name of the alternatives.

    Raises what `resolve_with_sdists` raises, with a fix that keeps another one, or all, where that may help.
    """
    notes: list[str] = []
    required = {line.name for one in request.requirement_sets for line in one.requirements}
    # The user's choices come first: the packages that they exclude may not exist at all.
    early = tuple(one for one in select_alternatives(required, context, chosen) if one.alternatives.name in chosen)
    try:
        if early:
            request = _keep_selected(request, early)
            notes += map(describe_selection, early)
        resolution = resolve_with_sdists(request, builder)
    except PycomfyError as e:
        raise combine([_suggest_alternative(problem) for problem in flatten_errors(e)]) from e.__cause__
    for _ in ALTERNATIVES:
        names = {canonicalize_name(str(p.get("name"))) for p in resolution.pylock.get("packages", ())}
        selected = select_alternatives(names, context, chosen)
        if not selected:
            break
        request = _keep_selected(request, selected)
        notes += map(describe_selection, selected)
        try:
            resolution = resolve_with_sdists(request, builder)
        except PycomfyError as e:
            raise combine([_suggest_keeping_all(problem, selected) for problem in flatten_errors(e)]) from e.__cause__
    return resolution, list(dict.fromkeys(notes))


def _keep_selected(request: ResolutionRequest, selected: Sequence[SelectedAlternative]) -> ResolutionRequest:
    """The request with the selected ones in place of all their alternatives."""
    replaced = replace_alternatives(request.requirement_sets, selected, request.target.environment())
    lines = [RequirementLine(one.name, one.name, f"for {' and '.join(one.dropped)}") for one in selected]
    dropped = {name for one in selected for name in one.dropped}
    return replace(
        request,
        requirement_sets=(*replaced, RequirementSet("pycomfy", tuple(lines))),
        excludes=tuple(sorted({*request.excludes, *dropped})),
    )


def _suggest_alternative(problem: PycomfyError) -> PycomfyError:
    """Add to a missing package's fixes another package that installs the same files, and may exist."""
    found = find_alternatives(problem.package) if isinstance(problem, NoMatchingDistribution) else None
    if found is not None:
        other = f'use another package that installs the same, in pycomfy.toml: [{SECTION}] {found[0]} = "{found[1]}"'
        problem.fixes = (*problem.fixes, other)
    return problem


def _suggest_keeping_all(problem: PycomfyError, selected: Sequence[SelectedAlternative]) -> PycomfyError:
    """Add to an error that arose when alternatives were excluded the way to keep them all."""
    lines = ", ".join(f'{one.alternatives.name} = "{ALL}"' for one in selected)
    names = "; ".join(describe_selection(one).partition(" (")[0] for one in selected)
    problem.fixes = (*problem.fixes, f"keep all, though they overwrite each other's files: [{SECTION}] {lines}")
    problem.where += f"; {names}"
    return problem
