"""Resolving with one package of each family that installs the same files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from pycomfy.adapters.io.concurrency import parts
from pycomfy.adapters.python.resolver import Question
from pycomfy.core.python.alternatives import (
    ALL,
    FAMILIES,
    Kept,
    Surroundings,
    find_kept,
    find_siblings,
    replace_members,
    tell,
)
from pycomfy.core.python.requirements import Asked, Wants
from pycomfy.errors import NoWheel, PycomfyError, raise_all
from pycomfy.services.lock.python_sdists import Found, solve
from pycomfy.services.lock.wheel_builder import WheelBuilder


def solve_singly(
    question: Question, chosen: Mapping[str, str], around: Surroundings, builder: WheelBuilder
) -> tuple[Found, list[str]]:
    """As `solve`, and a remark for each family of which several were wanted. `chosen` is the user's choice by family.

    Raises what `solve` raises, with the line that keeps another, or all, where that may help.
    """
    notes: list[str] = []
    wanted = {asked.name for wants in question.wants for asked in wants.asked}
    # What the user chose goes before what cannot be had at all.
    early = tuple(one for one in find_kept(wanted, around, chosen) if one.family.name in chosen)
    try:
        if early:
            question = _keep(question, early)
            notes += map(tell, early)
        found = solve(question, builder)
    except PycomfyError as e:
        raise_all([_with_sibling(problem) for problem in parts(e)])
        raise
    for _ in FAMILIES:
        names = {canonicalize_name(str(p.get("name"))) for p in found.pylock.get("packages", ())}
        kept = find_kept(names, around, chosen)
        if not kept:
            break
        question = _keep(question, kept)
        notes += map(tell, kept)
        try:
            found = solve(question, builder)
        except PycomfyError as e:
            raise_all([_without_family(problem, kept) for problem in parts(e)])
    return found, list(dict.fromkeys(notes))


def _keep(question: Question, kept: Sequence[Kept]) -> Question:
    wants = replace_members(question.wants, kept, question.target.environment())
    ours = [Asked(one.name, one.name, f"for {' and '.join(one.dropped)}") for one in kept]
    dropped = {name for one in kept for name in one.dropped}
    return replace(
        question, wants=(*wants, Wants("pycomfy", tuple(ours))), excludes=tuple(sorted({*question.excludes, *dropped}))
    )


def _with_sibling(problem: PycomfyError) -> PycomfyError:
    """What is missing, with another package that installs the same files and may be there."""
    siblings = find_siblings(problem.package) if isinstance(problem, NoWheel) else None
    if siblings is not None:
        problem.fix += f'; or take another that is the same: [families] {siblings[0]} = "{siblings[1]}"'
    return problem


def _without_family(problem: PycomfyError, kept: Sequence[Kept]) -> PycomfyError:
    """What went wrong since only one of a family is kept, with the way to keep all."""
    lines = ", ".join(f'{one.family.name} = "{ALL}"' for one in kept)
    names = "; ".join(tell(one).partition(" (")[0] for one in kept)
    problem.fix += f"; or keep all, though they overwrite each other's files: [families] {lines}"
    problem.where += f"; {names}"
    return problem
