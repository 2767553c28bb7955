"""A clock that tests set."""

from datetime import datetime, timedelta

from pycomfy.gateway.jobs.sqlite import Clock
from tests.support.moments import NOW


class Hands:
    """Both clocks of a store; `jump` is somebody setting the time of day."""

    def __init__(self) -> None:
        self._now, self._monotonic = NOW, 1000.0

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self._now, monotonic=lambda: self._monotonic)

    @property
    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
