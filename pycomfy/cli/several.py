"""Do the same for each of several workflows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pycomfy.cli.json_output import print_json
from pycomfy.errors import PycomfyError, combine

if TYPE_CHECKING:
    from pycomfy.services.results import Result

R = TypeVar("R", bound="Result")

MAX_NAMES = 5
"""Workflows that are named with an error that they have in common."""


def for_each(workflows: Sequence[Path], do: Callable[[Path], R], show: Callable[[R], None], *, as_json: bool) -> None:
    """Call `do` with each workflow, and show or print its result; JSON is one result, or a list where several are
    given. One that fails does not keep the others from being done; all errors are raised at the end."""
    results: list[R] = []
    failed: list[tuple[PycomfyError, Path]] = []
    for workflow in workflows:
        try:
            results.append(do(workflow))
        except PycomfyError as e:
            from pycomfy.adapters.io.concurrency import flatten_errors

            failed += [(problem, workflow) for problem in flatten_errors(e)]
            continue
        if not as_json:
            show(results[-1])
    if failed:
        raise combine(_name_workflows(failed) if len(workflows) > 1 else [problem for problem, _ in failed])
    if as_json:
        print_json(results if len(workflows) > 1 else results[0])


def _name_workflows(failed: Sequence[tuple[PycomfyError, Path]]) -> list[PycomfyError]:
    """Return each problem once, with the workflows that have it where it does not name its own."""
    problems: dict[str, PycomfyError] = {}
    having: dict[str, list[Path]] = {}
    for problem, workflow in failed:
        text = str(problem)
        problems.setdefault(text, problem)
        having.setdefault(text, []).append(workflow)
    for text, problem in problems.items():
        names = [str(workflow) for workflow in dict.fromkeys(having[text])]
        if len(names) > 1 or names[0] not in problem.what + problem.where:
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            of = f"for {', '.join(names[:MAX_NAMES])}{more}"
            problem.where = f"{problem.where} ({of})" if problem.where else of
    return list(problems.values())
