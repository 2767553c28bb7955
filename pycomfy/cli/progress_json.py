"""Progress for a program: an event a line on standard error, as JSON."""

import json
import os
import threading
import time
from itertools import count
from types import TracebackType
from typing import Self

from pycomfy import progress as protocol
from pycomfy.cli.progress import Counter, remark
from pycomfy.cli.terminal import print_text
from pycomfy.errors import Fixes

VARIABLE = "PYCOMFY_PROGRESS"
"""Set to `json`, it selects this progress. The server sets it for the commands that it starts."""

INTERVAL = 0.25
"""Seconds between two events of a step that goes on."""


def is_selected() -> bool:
    """Return whether the variable asks for JSON."""
    return os.environ.get(VARIABLE) == "json"


class JsonLines:
    """Writes `{"event": "begin"|"progress"|"end"|"remark", …}`; `step` is the same number in all events of a step."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def step(self, title: str, *, total: int | None = None, unit: protocol.Unit = "items") -> protocol.Task:
        return _JsonTask(next(self._numbers), title, total, unit)

    def report(self, text: str, fixes: Fixes = ()) -> None:
        _print(event="remark", text=remark(text, fixes))


class _JsonTask(Counter):
    """A step; threads may advance it at once."""

    def __init__(self, number: int, title: str, total: int | None, unit: protocol.Unit) -> None:
        super().__init__(title, total, unit)
        self._number, self._printed, self._lock = number, self.started, threading.Lock()

    def advance(self, amount: int = 1) -> None:
        with self._lock:
            self.count += amount
        self.show()

    def show(self) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._printed < INTERVAL:
                return
            self._printed = now
        _print(event="progress", step=self._number, count=self.count, total=self.limit, note=self.text)

    def __enter__(self) -> Self:
        _print(event="begin", step=self._number, title=self.title, unit=self.unit, total=self.limit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        count = min(self.count, self.limit) if self.limit else self.count
        _print(event="end", step=self._number, ok=kind is None, count=count, total=self.limit, note=self.text)


_printing = threading.Lock()


def _print(**event: object) -> None:
    with _printing:  # a line is written in parts
        print_text(json.dumps({**event, "at": round(time.time() * 1000)}), error=True)
