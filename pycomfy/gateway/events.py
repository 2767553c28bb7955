"""What a job tells its caller: one JSON object a line, on standard output."""

import json
import math
import os
import threading
from collections.abc import Callable

Event = dict[str, object]
Emit = Callable[[Event], None]

MAX_TEXT = 64 << 10
"""Characters of one text in an event; of a longer one, the first."""


class Failure(Exception):
    """The job failed. `events` say why, one `error` each."""

    def __init__(self, *events: Event) -> None:
        super().__init__(str(events[0].get("message", "")) if events else "")
        self.events = events


def error(kind: str, message: str, **more: object) -> Event:
    """An `error` event; `more` is what the kind knows: node, title, class_type, details, traceback, log."""
    return {"event": "error", "type": kind, "message": message, **more}


class Printer:
    """Writes events to a file descriptor. A reader that left is no error here: its absence ends the job elsewhere."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        data = memoryview(_encode(event) + b"\n")
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except (BrokenPipeError, ConnectionResetError):
                return


def _encode(event: Event) -> bytes:
    cut = {k: v[:MAX_TEXT] if isinstance(v, str) else v for k, v in event.items()}
    try:
        return json.dumps(cut, allow_nan=False).encode()
    except ValueError:
        return json.dumps(_finite(cut)).encode()


def _finite(value: object) -> object:
    """`value`, with null for the numbers that JSON does not have."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
