"""Search overrides that resolve a conflict of requirements: each is tried before it is proposed."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.python.uv_process import UvOutcome, read_versions
from pycomfy.adapters.python.uv_request import UvRequest, explain, names_in, split_overrides
from pycomfy.core.python.conflicts import (
    Constraint,
    Override,
    best_override,
    conclusion,
    evaluate_override,
    find_constraints,
    list_override_candidates,
    pin,
)

_NEWER = "--exclude-newer="
MAX_DATES = 8

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
        # Overridden, a package loses its index.
        overridden += map(canonicalize_name, request.index_config.reserved)
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


def find_date(uv: UvRequest, explanation: str) -> tuple[str, bool] | None:
    """Return the first day as of which there is what is required, where the request's date is too early, and whether uv
    has an answer as of that day. None if there is no such day. `explanation` is uv's for the request's date."""
    undated = replace(uv, arguments=tuple(a for a in uv.arguments if not a.startswith(_NEWER)))
    constraints: dict[Constraint, None] = {}
    day = ""
    for _ in range(MAX_DATES):
        sets, environment = uv.request.requirement_sets, uv.request.target.environment()
        whole = explain(explanation)
        later = None
        # Of a long explanation the end says it; in its middle are versions that contradict one another.
        for text in (whole, conclusion(whole)):
            own = dict.fromkeys(find_constraints(sets, text, environment))
            if (later := _first_day(undated, [*constraints, *own])) is not None:
                constraints |= own
                break
        if later is None or later <= day:
            return None
        day = later
        outcome = replace(undated, arguments=(*undated.arguments, f"{_NEWER}{day}T00:00:00Z")).run()
        if isinstance(outcome, bytes) or "`exclude-newer`" not in outcome:
            return day, isinstance(outcome, bytes)
        explanation = outcome
    return None


def _first_day(undated: UvRequest, constraints: Sequence[Constraint]) -> str | None:
    """The day after the upload of the oldest versions that satisfy the constraints; None if some have none."""
    (undated.folder / "dated.in").write_text("".join(f"{c.name}{c.versions}\n" for c in constraints))
    own = tuple(a for a in undated.arguments if a.startswith("-") or not a.endswith(".in"))
    found = (
        replace(undated, arguments=(*own, "dated.in")).run("--no-deps", "--resolution=lowest") if constraints else ""
    )
    uploads = [
        min(times)
        for package in (tomllib.loads(found.decode())["packages"] if isinstance(found, bytes) else ())
        if (times := [t for w in package.get("wheels", ()) if isinstance(t := w.get("upload-time"), datetime)])
    ]
    return f"{(max(uploads).astimezone(UTC) + timedelta(days=1)).date()}" if uploads else None


def try_versions(uv: UvRequest, name: str, versions: Sequence[str]) -> Override | None:
    """Return the override of a package by the first of these versions with which uv has an answer, if any has."""
    if name in uv.request.index_config.reserved:
        return None
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
    lines = (*split_overrides(uv.request)[0], *overrides)
    (uv.folder / "tried").write_text("".join(text + "\n" for text in lines))
    arguments = tuple(a for a in uv.arguments if a != "--overrides=overrides")
    return replace(uv, arguments=arguments).run("--overrides=tried")
