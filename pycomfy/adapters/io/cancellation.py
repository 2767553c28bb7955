"""Ending what other threads wait for, when the user leaves: no thread can be ended, but its program or download can."""

import contextlib
import threading
from collections.abc import Callable, Iterator

_running: dict[object, Callable[[], object]] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def stoppable(stop: Callable[[], object]) -> Iterator[None]:
    """While the block runs, `stop_all` calls `stop`, from any thread; the block then has to end soon."""
    key = object()
    with _lock:
        _running[key] = stop
    try:
        yield
    finally:
        with _lock:
            del _running[key]


def stop_all() -> None:
    """End every program and download that this process waits for. For a process that is about to leave."""
    with _lock:
        stops = list(_running.values())
    for stop in stops:
        stop()
