"""Write down who did what, where several people use the server."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from pycomfy.adapters.access.audit_log import AuditLog, Value
from pycomfy.server.callers import Caller

DID = "did"
"""Where a route says in the request's state what it was about."""


class Audit:
    """Writes to `log`; to nothing where that is None, as where the owner is alone. `clock` returns the time in UTC,
    `address` where a request comes from."""

    def __init__(
        self, log: AuditLog | None, clock: Callable[[], datetime], address: Callable[[HTTPConnection], str]
    ) -> None:
        self._log, self._clock, self.address = log, clock, address

    async def record(self, connection: HTTPConnection, caller: Caller | None, status: int, action: str = "") -> None:
        """Write an entry. A disk that is full keeps nobody from working."""
        log = self._log
        if log is None:
            return
        state: dict[str, Any] = connection.scope.get("state", {})
        entry: dict[str, Value] = {
            "at": f"{self._clock():%Y-%m-%dT%H:%M:%SZ}",
            "user": caller.name if caller is not None else "",
            "role": caller.role.title if caller is not None else "",
            "address": self.address(connection),
            "action": action or f"{connection.scope['method']} {connection.scope['path']}",
            "status": status,
            "what": str(state.get(DID, "")),
        }
        await run_in_threadpool(_append, log, entry)


def _append(log: AuditLog, entry: dict[str, Value]) -> None:
    try:
        log.append(entry)
    except OSError:
        return
