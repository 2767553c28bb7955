"""Start operations, a few at a time, and find out what became of them.

The database says what state an operation is in; the folder of an operation, and the lock that its process holds, say
what is so. After a crash of the server, the two are compared: what still runs is followed again, what does not was
interrupted, unless it left its result.
"""

import contextlib
import json
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from pycomfy.adapters.database.records import OperationRecord, OperationState
from pycomfy.adapters.io.atomic_files import explain_os_error
from pycomfy.adapters.operations.folder import OperationFolder
from pycomfy.errors import BadInput, NotFound, PycomfyError, RunFailed, suggest
from pycomfy.services.operations.requests import Request
from pycomfy.services.operations.results import OperationEntry, describe_operation
from pycomfy.services.workspace import Workspace

MAX_WAITING = 200
"""Operations that wait for their turn."""

MAX_KEPT = 500
"""Operations whose folders are kept."""

_OVER = ("done", "failed", "cancelled", "interrupted")
_DONE_STATUS = (0, 3)
"""Exit statuses of a command that came to its end: 3 says that a check said no, which is a result."""


@dataclass
class OperationRunner:
    """Operations of one workspace. `limit` of them run at once. `on_change` is called, in any thread, with the key of
    an operation whose state has changed. Its methods are for any number of threads."""

    workspace: Workspace
    limit: int = field(default_factory=lambda: max(2, (os.cpu_count() or 1) // 2))
    on_change: Callable[[str], None] = lambda key: None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _waiting: "deque[tuple[str, Request, str]]" = field(default_factory=deque)
    _running: set[str] = field(default_factory=set)
    _cancelled: set[str] = field(default_factory=set)
    _closed: bool = False

    def folder(self, key: str) -> OperationFolder:
        """Return the folder of an operation. Raises `NotFound` for what cannot be a key."""
        if not key.replace("-", "").isalnum() or not key.isascii() or len(key) > 40:
            raise _unknown(key)
        return OperationFolder(self.workspace.paths.operations / key)

    # — from outside —

    def start(self, request: Request, created_by: str = "") -> OperationEntry:
        """Start an operation of the user `created_by`, or let it wait for its turn. Raises `NotFound` or `BadInput`
        for a workflow that cannot be named."""
        name = request.name
        key = f"{self.workspace.clock().astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        record = OperationRecord(
            key=key,
            kind=request.kind,
            workflow=name,
            arguments=request.model_dump(mode="json"),
            state="waiting",
            created_at=self._now(),
            started_at=None,
            finished_at=None,
            exit_status=None,
            created_by=created_by,
        )
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                fix = "wait until some are done, or cancel some"
                raise BadInput(f"{MAX_WAITING} operations wait already", where="operations", fix=fix)
            self.folder(key).create()
            with self.workspace.open_database() as database:
                database.add_operation(record)
            self._waiting.append((key, request, created_by))
            self._start_next()
        self.on_change(key)
        return self.find(key)

    def cancel(self, key: str) -> OperationEntry:
        """Ask an operation to end; one that is over stays as it is. Raises `NotFound`."""
        self.find(key)
        with self._lock:
            waiting = [one for one in self._waiting if one[0] == key]
            for one in waiting:
                self._waiting.remove(one)
                self._change(key, "cancelled", frm=("waiting",))
            if key in self._running:
                self._cancelled.add(key)
                self.folder(key).cancel()
        return self.find(key)

    def find(self, key: str) -> OperationEntry:
        """Return an operation with its result. Raises `NotFound`."""
        folder = self.folder(key)
        with self.workspace.open_database() as database:
            record = database.find_operation(key)
        if record is None:
            raise _unknown(key)
        result = folder.read_result() if record.state in _OVER else None
        return describe_operation(record, result, folder.read_command())

    def list(self, workflow: str | None = None) -> list[OperationEntry]:
        """Return operations, newest first, without their results."""
        with self.workspace.open_database() as database:
            records = database.operations(workflow)
        return [describe_operation(record) for record in records]

    # — the life of an operation —

    def recover(self) -> None:
        """Follow what still runs of an earlier server, and say of the rest what became of it. Call it once, first."""
        with self.workspace.open_database() as database:
            records = [r for r in database.operations(limit=10_000) if r.state not in _OVER]
        for record in records:
            if record.state == "running" and self.folder(record.key).is_running:
                with self._lock:
                    self._running.add(record.key)
                self._follow(record.key, None)
            else:
                self._finish(record.key, None)
        self._remove_old()

    def close(self) -> int:
        """Start nothing any more; return how many run on, without the server. What waits is interrupted."""
        with self._lock:
            self._closed = True
            while self._waiting:
                self._change(self._waiting.popleft()[0], "interrupted", frm=("waiting",))
            return len(self._running)

    def _start_next(self) -> None:
        while self._waiting and len(self._running) < self.limit and not self._closed:
            key, request, created_by = self._waiting.popleft()
            self._running.add(key)
            folder = self.folder(key)
            try:
                arguments = request.command(self.workspace, folder.path)
                wait_for_status = folder.start(arguments, self._environment(created_by), folder.path)
            except (PycomfyError, OSError) as e:
                self._fail(key, e if isinstance(e, PycomfyError) else _explain(e, folder))
                continue
            self._change(key, "running", frm=("waiting",))
            self._follow(key, wait_for_status)

    def _fail(self, key: str, error: PycomfyError) -> None:
        """End an operation whose command could not be made: as if the command had said it."""
        folder = self.folder(key)
        with contextlib.suppress(OSError):
            (folder.path / "result.json").write_text(json.dumps({"error": error.as_dict()}))
        self._running.discard(key)
        self._change(key, "failed", frm=("waiting", "running"), status=1)

    def _follow(self, key: str, wait_for_status: "Callable[[], int] | None") -> None:
        def wait() -> None:
            self.folder(key).wait()
            status = wait_for_status() if wait_for_status is not None else None
            with self._lock:
                self._running.discard(key)
            self._finish(key, status)
            with self._lock:
                self._cancelled.discard(key)
                self._start_next()

        threading.Thread(target=wait, name=f"operation {key}", daemon=True).start()

    def _finish(self, key: str, status: int | None) -> None:
        """Put an operation that ended into its last state. Where nobody saw its exit status, its result says it."""
        result = self.folder(key).read_result()
        has_error = isinstance(result, dict) and "error" in result and "schema_version" in result
        state: OperationState
        if key in self._cancelled and status != 0:
            state = "cancelled"
        elif result is not None and not has_error and (status is None or status in _DONE_STATUS):
            state = "done"
        elif (status is not None and status > 0 and status < 128) or has_error:
            state = "failed"
        else:
            state = "interrupted"
        self._change(key, state, frm=("waiting", "running"), status=status)

    def _change(self, key: str, state: OperationState, *, frm: tuple[str, ...], status: int | None = None) -> None:
        with self.workspace.open_database() as database:
            changed = database.change_operation(key, state, self._now(), exit_status=status, frm=frm)
        if changed:
            self.on_change(key)

    def _remove_old(self) -> None:
        with self.workspace.open_database() as database:
            kept = {record.key for record in database.operations(limit=MAX_KEPT)}
        for path in self._folders():
            folder = OperationFolder(path)
            if path.name not in kept and not folder.is_running:
                folder.remove()

    def _folders(self) -> "Iterator[Path]":
        with contextlib.suppress(FileNotFoundError):
            yield from self.workspace.paths.operations.iterdir()

    def _environment(self, user: str) -> dict[str, str]:
        """The variables of a command: those of the workspace, where that is, and who is the author of a version."""
        paths = self.workspace.paths
        home = {"PYCOMFY_HOME": str(paths.data)} if paths.cache == paths.data / "cache" else {}
        author = {"GIT_AUTHOR_NAME": user, "GIT_AUTHOR_EMAIL": user if "@" in user else f"{user}@localhost"}
        return {**self.workspace.environment, **home, **(author if user else {})}

    def _now(self) -> str:
        now = self.workspace.clock().astimezone(UTC)
        return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"


def _explain(error: OSError, folder: OperationFolder) -> PycomfyError:
    what = f"the operation could not be started: {error.strerror}"
    return explain_os_error(error, folder.path) or RunFailed(what, where=str(folder.path), fix="start it again")


def _unknown(key: str) -> NotFound:
    return NotFound(f'no operation "{key[:60]}"', where="operations", fix=suggest("log"))
