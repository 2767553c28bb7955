"""Several jobs at once, of which every failure is told."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from pycomfy.adapters.io.cancellation import stop_all
from pycomfy.errors import ErrorGroup, PycomfyError, raise_all

T = TypeVar("T")

_AGAIN = 0.3  # seconds


def run_concurrently(
    jobs: Mapping[str, Callable[[], T]], done: Callable[[], None] = lambda: None, *, at_once: int = 8
) -> dict[str, T]:
    """Run all jobs at once; if any fail, wait for all and raise everything that went wrong. Who leaves waits for none:
    their programs and downloads are ended."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        futures: dict[Future[T], str] = {pool.submit(job): name for name, job in jobs.items()}
        problems: dict[str, PycomfyError] = {}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is not None and not isinstance(error, PycomfyError):
                    raise error
                if error is not None:
                    problems[futures[future]] = error
                done()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            while not all(future.done() for future in futures):
                # A job may have begun something new just when the rest was ended.
                time.sleep(_AGAIN)
                stop_all()
            raise
    raise_all([p for name in jobs if name in problems for p in flatten_errors(problems[name])])
    return {name: future.result() for future, name in sorted(futures.items(), key=lambda item: item[1])}


def flatten_errors(error: PycomfyError) -> tuple[PycomfyError, ...]:
    """The problems that an error is made of."""
    return error.problems if isinstance(error, ErrorGroup) else (error,)
