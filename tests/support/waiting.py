"""Wait for what must happen, not for a time: how long it takes depends on what else the machine does."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

HANG = 600.0
"""Seconds that nothing takes, however loaded the machine is: what takes longer hangs. For limits of waits that a test
needs so that it fails instead of hanging, too."""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@contextlib.contextmanager
def ending(seconds: float = 60) -> Iterator[None]:
    """Raise `TimeoutError` if the block computes for so many seconds of this process's own time: then it would go on
    for ever. What other processes do makes no difference."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it computed for {seconds} s")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
