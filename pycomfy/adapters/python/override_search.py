"""Overrides that settle contradicting requirements: each is tried before it is proposed."""

import tomllib
from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.python.uv_request import UvRequest, names_in, reason
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


def find_override(asking: UvRequest, stderr: str) -> Override | None:
    """The overrides with which uv has an answer; None if none of those tried has.

    `stderr` is uv's explanation. Where several contradictions are independent, they are settled one after the other;
    what is no contradiction is told as what is left.
    """
    question = asking.question
    chosen: list[str] = []
    everything: dict[Constraint, None] = {}
    tries, said = 0, stderr
    for _ in range(MAX_ROUNDS):
        demands = find_constraints(question.wants, reason(said), question.target.environment())
        everything.update(dict.fromkeys(demands))
        settled = [canonicalize_name(Requirement(text).name) for text in (*question.overrides, *chosen)]
        good: list[Override] = []
        further: tuple[str, str] | None = None
        for candidate in list_override_candidates(demands, settled)[: MAX_TRIES - tries]:
            tries += 1
            done = _try(asking, [*chosen, candidate])
            if isinstance(done, bytes):
                good += _pinned(asking, done, [*chosen, candidate], list(everything))
            elif further is None and canonicalize_name(Requirement(candidate).name) not in names_in(done):
                further = candidate, done
        if good:
            return best_override(good)
        if further is None:
            break
        chosen.append(further[0])
        said = further[1]
    return Override((*question.overrides, *chosen), remaining=reason(said)) if chosen else None


def _pinned(asking: UvRequest, answer: bytes, chosen: Sequence[str], demands: Sequence[Constraint]) -> list[Override]:
    """The overrides as the exact versions that uv chose, if these have an answer as well."""
    versions = {p.get("name"): str(p.get("version")) for p in tomllib.loads(answer.decode())["packages"]}
    names = [canonicalize_name(Requirement(text).name) for text in chosen]
    exact = [text for name in names if name in versions and (text := pin(name, versions[name])) is not None]
    if len(exact) != len(chosen) or (exact != list(chosen) and isinstance(_try(asking, exact), str)):
        return []
    return [evaluate_override(exact, demands, asking.question.overrides)]


def _try(asking: UvRequest, overrides: list[str]) -> bytes | str:
    lines = (*asking.question.overrides, *overrides)
    (asking.folder / "tried").write_text("".join(text + "\n" for text in lines))
    arguments = tuple(a for a in asking.arguments if not a.startswith("--overrides="))
    return UvRequest(asking.question, asking.folder, arguments, asking.environment).ask("--overrides=tried")
