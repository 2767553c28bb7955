"""The threads of a job store in SQLite: one owns the connection, another makes what it committed durable.

A transaction is committed to the write-ahead log without waiting for the disk. The second thread then calls fdatasync
on that log, once for all calls that wait for it. So a job can start while its acceptance is still on its way to the
disk, reads never wait for the disk, and a hundred acceptances at once cost one flush.
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .store import StoreUnavailable

T = TypeVar("T")

_MANY = 20
_QUIET = 0.25
"""Seconds."""


@dataclass(frozen=True)
class _Call:
    work: Callable[[], Any]
    durable: bool
    future: asyncio.Future[Any]


@dataclass
class _Outcome:
    call: _Call
    value: Any = None
    error: BaseException | None = None
    commit: int = field(default=0)
    """The number of the last commit that it may depend on."""

    def deliver(self) -> None:
        future = self.call.future
        if future.done():
            return
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.value)


class StoreThread:
    """Does calls one after the other in a thread, and hands their outcomes to the event loop that it was made in.

    `commits` counts what was committed; the calls have to raise it. `tidy` is done in a quiet moment after many.
    """

    def __init__(self, log: Path, tidy: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._inbox: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._unsynced: queue.SimpleQueue[_Outcome | None] = queue.SimpleQueue()
        self._closed = False
        self._tidy, self._tidied = tidy, 0
        self.commits = 0
        self._threads = (
            threading.Thread(target=self._work, name="jobs", daemon=True),
            threading.Thread(target=self._sync, name="jobs-sync", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T], *, durable: bool = False) -> asyncio.Future[T]:
        """Do it after all that was submitted before; a durable one is done when it is on the disk."""
        if self._closed:
            raise StoreUnavailable("the store of jobs is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(_Call(work, durable, future))
        return future

    def tell(self, function: Callable[[], object]) -> None:
        """Call it in the event loop; from the thread, in the order of these calls and of the outcomes."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear of it
            self._loop.call_soon_threadsafe(function)

    async def close(self, last: Callable[[], object]) -> None:
        """Do what was submitted, then `last`, and end the threads."""
        if self._closed:
            return
        done = self.submit(last)
        self._closed = True
        self._inbox.put(None)
        try:
            await done
        finally:
            for thread in self._threads:
                await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        while (call := self._next()) is not None:
            if call.future.cancelled():  # before it began: it never happens
                continue
            outcome = _Outcome(call)
            try:
                outcome.value = call.work()
            except BaseException as error:  # noqa: BLE001  (the caller's, in the other thread)
                outcome.error = error
            outcome.commit = self.commits
            if call.durable:
                self._unsynced.put(outcome)
            else:
                self.tell(outcome.deliver)
        self._unsynced.put(None)

    def _next(self) -> _Call | None:
        if self.commits - self._tidied >= _MANY:
            try:
                return self._inbox.get(timeout=_QUIET)
            except queue.Empty:
                self._tidied = self.commits
                self._tidy()
        return self._inbox.get()

    def _sync(self) -> None:
        synced, log, ended = 0, -1, False
        error: Exception | None = None
        while not ended:
            outcomes, ended = self._take()
            if error is None and any(outcome.commit > synced for outcome in outcomes):
                try:
                    # A descriptor of its own: SQLite has no locks on the log that its closing could lose.
                    log = os.open(self._log, os.O_RDWR | os.O_CLOEXEC) if log < 0 else log
                    os.fdatasync(log)
                    synced = max(outcome.commit for outcome in outcomes)
                except OSError as problem:
                    # For good: the kernel forgets what it could not write, and the next call would not fail.
                    error = StoreUnavailable(f"cannot write {self._log} to the disk: {problem.strerror}")
            for outcome in outcomes:
                if error is not None and outcome.commit > synced:
                    outcome.error = error
            self.tell(lambda outcomes=outcomes: [outcome.deliver() for outcome in outcomes])  # type: ignore[misc]
        if log >= 0:
            os.close(log)

    def _take(self) -> tuple[list[_Outcome], bool]:
        """All outcomes that wait, at least one unless it is over; whether it is over."""
        outcomes: list[_Outcome] = []
        outcome = self._unsynced.get()
        while outcome is not None:
            outcomes.append(outcome)
            try:
                outcome = self._unsynced.get_nowait()
            except queue.Empty:
                return outcomes, False
        return outcomes, True
