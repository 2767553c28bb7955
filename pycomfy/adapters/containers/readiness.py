"""Ask a gateway whether it is ready, and why not, while its container runs."""

import contextlib
import contextvars
import http.client
import json
import threading
from collections.abc import Callable, Iterator

from pycomfy.adapters.containers.arguments import LOOPBACK
from pycomfy.core.sentences import join_lines, shorten

_PAUSE = 0.25
_TIMEOUT = 10.0
_MAX_ANSWER = 1 << 16
_MAX_REASON = 200

Hear = Callable[[str | None], None]
"""Called with a reason each time that it is another one; with None when the gateway is ready, and never again."""


@contextlib.contextmanager
def awaiting_ready(port: int, hear: Hear) -> Iterator[None]:
    """Ask until the gateway is ready or the block has ended. `hear` runs in a thread of its own, in the context of this
    one."""
    ended = threading.Event()
    context = contextvars.copy_context()

    def watch() -> None:
        last = ""
        while not ended.is_set():
            reason = ask_ready(port)
            if reason is None:
                hear(None)
                return
            if reason != last:
                last = reason
                hear(reason)
            ended.wait(_PAUSE)

    thread = threading.Thread(target=context.run, args=(watch,), name="readiness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def ask_ready(port: int) -> str | None:
    """Return why the gateway behind a port is not ready, in one short line; None if it is."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(_MAX_ANSWER)
    except (OSError, http.client.HTTPException):
        return "the gateway is starting"
    finally:
        connection.close()
    return None if answer.status == 200 else _read_reason(body)


def _read_reason(body: bytes) -> str:
    try:
        value = json.loads(body)
        reasons = value.get("reasons") if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        reasons = None
    if not isinstance(reasons, list) or not reasons:
        return "the gateway is starting"
    return shorten("; ".join(join_lines(str(reason)) for reason in reasons[:5]), _MAX_REASON)
