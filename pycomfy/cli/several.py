"""Do the same for each of several workflows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pycomfy.cli.json_output import print_json
from pycomfy.errors import PycomfyError, combine

if TYPE_CHECKING:
    from pycomfy.services.results import Result

R = TypeVar("R", bound="Result")


def for_each(workflows: Sequence[Path], do: Callable[[Path], R], show: Callable[[R], None], *, as_json: bool) -> None:
    """Call `do` with each workflow, and show or print its result; JSON is one result, or a list where several are
    given. One that fails does not keep the others from being done; all errors are raised at the end."""
    results: list[R] = []
    problems: list[PycomfyError] = []
    for workflow in workflows:
        try:
            results.append(do(workflow))
        except PycomfyError as e:
            problems.append(e)
            continue
        if not as_json:
            show(results[-1])
    if problems:
        from pycomfy.adapters.io.concurrency import flatten_errors

        raise combine([one for problem in problems for one in flatten_errors(problem)])
    if as_json:
        print_json(results if len(workflows) > 1 else results[0])
