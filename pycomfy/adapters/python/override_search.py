"""Overrides that settle contradicting requirements: each is tried before it is proposed."""

import tomllib
from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pycomfy.adapters.python.uv_request import Asking, names_in, reason
from pycomfy.core.python.conflicts import Demand, Mend, best, find_demands, judge, list_candidates, pin

MOST_TRIES = 16
MOST_ROUNDS = 4


def find_mend(asking: Asking, stderr: str) -> Mend | None:
    """The overrides with which uv has an answer; None if none of those tried has.

    `stderr` is uv's explanation. Where several contradictions are independent, they are settled one after the other;
    what is no contradiction is told as what is left.
    """
    question = asking.question
    chosen: list[str] = []
    everything: dict[Demand, None] = {}
    tries, said = 0, stderr
    for _ in range(MOST_ROUNDS):
        demands = find_demands(question.wants, reason(said), question.target.environment())
        everything.update(dict.fromkeys(demands))
        settled = [canonicalize_name(Requirement(text).name) for text in (*question.overrides, *chosen)]
        good: list[Mend] = []
        further: tuple[str, str] | None = None
        for candidate in list_candidates(demands, settled)[: MOST_TRIES - tries]:
            tries += 1
            done = _try(asking, [*chosen, candidate])
            if isinstance(done, bytes):
                good += _pinned(asking, done, [*chosen, candidate], list(everything))
            elif further is None and canonicalize_name(Requirement(candidate).name) not in names_in(done):
                further = candidate, done
        if good:
            return best(good)
        if further is None:
            break
        chosen.append(further[0])
        said = further[1]
    return Mend((*question.overrides, *chosen), left=reason(said)) if chosen else None


def _pinned(asking: Asking, answer: bytes, chosen: Sequence[str], demands: Sequence[Demand]) -> list[Mend]:
    """The overrides as the exact versions that uv chose, if these have an answer as well."""
    versions = {p.get("name"): str(p.get("version")) for p in tomllib.loads(answer.decode())["packages"]}
    names = [canonicalize_name(Requirement(text).name) for text in chosen]
    exact = [text for name in names if name in versions and (text := pin(name, versions[name])) is not None]
    if len(exact) != len(chosen) or (exact != list(chosen) and isinstance(_try(asking, exact), str)):
        return []
    return [judge(exact, demands, asking.question.overrides)]


def _try(asking: Asking, overrides: list[str]) -> bytes | str:
    lines = (*asking.question.overrides, *overrides)
    (asking.folder / "tried").write_text("".join(text + "\n" for text in lines))
    arguments = tuple(a for a in asking.arguments if not a.startswith("--overrides="))
    return Asking(asking.question, asking.folder, arguments, asking.environment).ask("--overrides=tried")
