"""Search overrides that resolve a conflict of requirements: each is tried before it is proposed."""

from collections.abc import Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.python.uv_process import UvOutcome, read_versions
from pycomfy.adapters.python.uv_request import UvRequest, explain, names_in
from pycomfy.core.python.conflicts import (
    Constraint,
    Override,
    best_override,
    evaluate_override,
    find_constraints,
    list_override_candidates,
    pin,
)

MAX_TRIES = 16
MAX_ROUNDS = 4


def find_override(uv: UvRequest, stderr: str) -> Override | None:
    """Return the overrides with which uv has an answer; None if none of those tried has.

    `stderr` is uv's explanation. Independent conflicts are resolved one after the other; what is not a conflict stays
    in `Override.remaining`.
    """
    request = uv.request
    chosen: list[str] = []
    all_constraints: dict[Constraint, None] = {}
    tries, explanation = 0, stderr
    for _ in range(MAX_ROUNDS):
        constraints = find_constraints(request.requirement_sets, explain(explanation), request.target.environment())
        all_constraints.update(dict.fromkeys(constraints))
        overridden = [canonicalize_name(Requirement(text).name) for text in (*request.overrides, *chosen)]
        found: list[Override] = []
        next_conflict: tuple[str, str] | None = None
        for candidate in list_override_candidates(constraints, overridden)[: MAX_TRIES - tries]:
            tries += 1
            outcome = _try(uv, [*chosen, candidate])
            if isinstance(outcome, bytes):
                found += _pin_override(uv, outcome, [*chosen, candidate], list(all_constraints))
            elif next_conflict is None and canonicalize_name(Requirement(candidate).name) not in names_in(outcome):
                next_conflict = candidate, outcome
        if found:
            return best_override(found)
        if next_conflict is None:
            break
        chosen.append(next_conflict[0])
        explanation = next_conflict[1]
    return Override((*request.overrides, *chosen), remaining=explain(explanation)) if chosen else None


def try_versions(uv: UvRequest, name: str, versions: Sequence[str]) -> Override | None:
    """Return the override of a package by the first of these versions with which uv has an answer, if any has."""
    for version in versions:
        text = pin(name, version)
        if text is None or not isinstance(outcome := _try(uv, [text]), bytes):
            continue
        constraints = find_constraints(uv.request.requirement_sets, name, uv.request.target.environment())
        return evaluate_override([text], constraints, uv.request.overrides, read_versions(outcome))
    return None


def _pin_override(
    uv: UvRequest, answer: UvOutcome, chosen: Sequence[str], constraints: Sequence[Constraint]
) -> list[Override]:
    """Return the overrides with the exact versions that uv chose, if uv has an answer with these too."""
    versions = read_versions(answer)
    names = [canonicalize_name(Requirement(text).name) for text in chosen]
    exact = [text for name in names if name in versions and (text := pin(name, versions[name])) is not None]
    if len(exact) != len(chosen) or (exact != list(chosen) and isinstance(answer := _try(uv, exact), str)):
        return []
    return [evaluate_override(exact, constraints, uv.request.overrides, read_versions(answer))]


def _try(uv: UvRequest, overrides: list[str]) -> UvOutcome:
    lines = (*uv.request.overrides, *overrides)
    (uv.folder / "tried").write_text("".join(text + "\n" for text in lines))
    arguments = tuple(a for a in uv.arguments if not a.startswith("--overrides="))
    return replace(uv, arguments=arguments).run("--overrides=tried")
