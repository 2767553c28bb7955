"""Run several jobs at once, in threads that belong to the current operation."""

import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from pycomfy.errors import ErrorGroup, PycomfyError, raise_all
from pycomfy.operation import open_cancel_scope

T = TypeVar("T")


def run_concurrently(
    jobs: Mapping[str, Callable[[], T]],
    done: Callable[[], object] = lambda: None,
    *,
    at_once: int = 8,
    first_alone: bool = False,
    fatal: tuple[type[PycomfyError], ...] = (),
) -> dict[str, T]:
    """Return what each job returns, by name; call `done` after each.

    If jobs fail, wait for all and raise all their errors together, in the order of `jobs`. An error of the kinds
    `fatal`, one that is no `PycomfyError`, and a cancellation end the others: their programs and downloads are stopped.
    With `first_alone` the others begin when the first is done, and not at all if it fails: so a server that does not
    answer is waited for once.
    """
    if not jobs:
        return {}
    if first_alone:
        name, *others = jobs
        begun = run_concurrently({name: jobs[name]}, done, fatal=fatal)
        return begun | run_concurrently({n: jobs[n] for n in others}, done, at_once=at_once, fatal=fatal)
    with open_cancel_scope() as scope, ThreadPoolExecutor(max_workers=min(at_once, len(jobs))) as pool:
        futures: dict[Future[T], str] = {}
        problems: dict[str, PycomfyError] = {}
        try:
            # An interruption can come while jobs are started, too. Each thread has a copy of this context, and in it
            # the operation and the scope.
            for name, job in jobs.items():
                futures[pool.submit(contextvars.copy_context().run, job)] = name
            for future in as_completed(futures):
                error = future.exception()
                if isinstance(error, PycomfyError) and not isinstance(error, fatal):
                    problems[futures[future]] = error
                elif error is not None:
                    raise error
                done()
        except BaseException:
            scope.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    raise_all([p for name in jobs if name in problems for p in flatten_errors(problems[name])])
    return {name: future.result() for future, name in sorted(futures.items(), key=lambda item: item[1])}


def flatten_errors(error: PycomfyError) -> tuple[PycomfyError, ...]:
    """Return the errors in a group; any other error alone."""
    return error.problems if isinstance(error, ErrorGroup) else (error,)
