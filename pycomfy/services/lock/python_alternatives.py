"""Resolving with one package of each family that installs the same files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.python.alternatives import (
    ALL,
    ALTERNATIVE_GROUPS,
    SelectedAlternative,
    TargetContext,
    describe_selection,
    find_alternatives,
    replace_alternatives,
    select_alternatives,
)
from pycomfy.core.python.requirements import RequirementLine, RequirementSet
from pycomfy.errors import NoMatchingDistribution, PycomfyError, raise_all
from pycomfy.services.lock.python_sdists import SdistResolution, resolve_with_sdists
from pycomfy.services.lock.wheel_builder import WheelBuilder


def resolve_with_alternatives(
    question: ResolutionRequest, chosen: Mapping[str, str], around: TargetContext, builder: WheelBuilder
) -> tuple[SdistResolution, list[str]]:
    """As `solve`, and a remark for each family of which several were wanted. `chosen` is the user's choice by family.

    Raises what `solve` raises, with the line that keeps another, or all, where that may help.
    """
    notes: list[str] = []
    wanted = {asked.name for wants in question.requirement_sets for asked in wants.requirements}
    # What the user chose goes before what cannot be had at all.
    early = tuple(one for one in select_alternatives(wanted, around, chosen) if one.group.name in chosen)
    try:
        if early:
            question = _keep(question, early)
            notes += map(describe_selection, early)
        found = resolve_with_sdists(question, builder)
    except PycomfyError as e:
        raise_all([_with_sibling(problem) for problem in flatten_errors(e)])
        raise
    for _ in ALTERNATIVE_GROUPS:
        names = {canonicalize_name(str(p.get("name"))) for p in found.pylock.get("packages", ())}
        kept = select_alternatives(names, around, chosen)
        if not kept:
            break
        question = _keep(question, kept)
        notes += map(describe_selection, kept)
        try:
            found = resolve_with_sdists(question, builder)
        except PycomfyError as e:
            raise_all([_without_family(problem, kept) for problem in flatten_errors(e)])
    return found, list(dict.fromkeys(notes))


def _keep(question: ResolutionRequest, kept: Sequence[SelectedAlternative]) -> ResolutionRequest:
    wants = replace_alternatives(question.requirement_sets, kept, question.target.environment())
    ours = [RequirementLine(one.name, one.name, f"for {' and '.join(one.dropped)}") for one in kept]
    dropped = {name for one in kept for name in one.dropped}
    return replace(
        question,
        requirement_sets=(*wants, RequirementSet("pycomfy", tuple(ours))),
        excludes=tuple(sorted({*question.excludes, *dropped})),
    )


def _with_sibling(problem: PycomfyError) -> PycomfyError:
    """What is missing, with another package that installs the same files and may be there."""
    siblings = find_alternatives(problem.package) if isinstance(problem, NoMatchingDistribution) else None
    if siblings is not None:
        other = f'take another that is the same: [families] {siblings[0]} = "{siblings[1]}"'
        problem.fixes = (*problem.fixes, other)
    return problem


def _without_family(problem: PycomfyError, kept: Sequence[SelectedAlternative]) -> PycomfyError:
    """What went wrong since only one of a family is kept, with the way to keep all."""
    lines = ", ".join(f'{one.group.name} = "{ALL}"' for one in kept)
    names = "; ".join(describe_selection(one).partition(" (")[0] for one in kept)
    problem.fixes = (*problem.fixes, f"keep all, though they overwrite each other's files: [families] {lines}")
    problem.where += f"; {names}"
    return problem
