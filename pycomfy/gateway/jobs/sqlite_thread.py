"""Who does the work of a job store: the event loop itself, or a thread; and who waits for the disk: another one.

A transaction is committed to the write-ahead log without waiting for the disk. The disk's thread then calls fdatasync
on that log, once for all calls that wait for it. So a job can start while its acceptance is still on its way to the
disk, and a hundred acceptances at once cost one flush.

Quick calls, of about 0.2 ms, are done by the event loop. In a thread each of their twenty statements would have to get
the interpreter's lock back from the event loop: beside a busy one that made a claim of 0.2 ms last 50 ms. What takes
long, or waits for the disk, is done by the thread, and so is everything that comes while it works.
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .store import StoreUnavailable

T = TypeVar("T")

SOME_CHANGES, MANY_CHANGES = 100, 400
"""Rows changed since the log was last brought into the file: with some it is, as soon as it is quiet; with many, now.
The latter are about 4 MB of the log."""

_BYTES_OF_CHANGE = 10_000

_QUIET = 0.25
"""Seconds without a call."""


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
    commit: int = 0
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
    """Does calls one after the other, and hands their outcomes to the event loop that it was made in.

    The calls have to tell what they committed: `committed`. `tidy` brings the log into the file.
    """

    def __init__(self, log: Path, tidy: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._tidy = tidy
        self._inbox: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._unsynced: queue.SimpleQueue[_Outcome | None] = queue.SimpleQueue()
        self._in_thread = 0
        self._closed = False
        self._commits = self._changes = 0
        self._used, self._timer = 0.0, False
        self._threads = (
            threading.Thread(target=self._work, name="jobs", daemon=True),
            threading.Thread(target=self._sync, name="jobs-sync", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T], *, quick: bool, durable: bool = False) -> asyncio.Future[T]:
        """Do it after all that was submitted before; a durable one is done when it is on the disk."""
        if self._closed:
            raise StoreUnavailable("the store of jobs is closed")
        call = _Call(work, durable, self._loop.create_future())
        self._used = self._loop.time()
        if quick and not self._in_thread:
            self._hand_on(self._do(call))
            self._keep_tidy()
        else:
            self._in_thread += 1
            self._inbox.put(call)
        return call.future

    def committed(self, changes: int) -> None:
        """So many rows were changed."""
        self._commits += 1
        self._changes += changes

    def wrote(self, size: int) -> None:
        """Rows of so many bytes are written: they count for more."""
        self._changes += size // _BYTES_OF_CHANGE

    def tell(self, function: Callable[[], object]) -> None:
        """Do it in the event loop, in the order of these calls and of the outcomes."""
        if threading.current_thread() in self._threads:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear of it
                self._loop.call_soon_threadsafe(function)
        else:
            function()

    async def close(self, last: Callable[[], object]) -> None:
        """Do what was submitted, then `last`, and end the threads."""
        if self._closed:
            return
        done = self.submit(last, quick=False)
        self._closed = True
        self._inbox.put(None)
        try:
            await done
        finally:
            for thread in self._threads:
                await asyncio.to_thread(thread.join)

    @staticmethod
    def _do(call: _Call) -> _Outcome:
        outcome = _Outcome(call)
        try:
            outcome.value = call.work()
        except BaseException as error:  # noqa: BLE001  (the caller's)
            outcome.error = error
        return outcome

    def _hand_on(self, outcome: _Outcome) -> None:
        outcome.commit = self._commits
        if outcome.call.durable:
            self._unsynced.put(outcome)
        else:
            self.tell(outcome.deliver)

    def _keep_tidy(self) -> None:
        """In the event loop: have the log brought in where that is due."""
        if self._closed:
            return
        quiet = self._loop.time() - self._used >= _QUIET
        if self._changes >= (SOME_CHANGES if quiet else MANY_CHANGES):
            self._changes = 0
            self.submit(self._tidy, quick=False)
        elif self._changes >= SOME_CHANGES and not self._timer:
            self._timer = True
            self._loop.call_later(_QUIET, self._look_again)

    def _look_again(self) -> None:
        self._timer = False
        self._keep_tidy()

    def _left_thread(self) -> None:
        self._in_thread -= 1
        self._keep_tidy()

    def _work(self) -> None:
        while (call := self._inbox.get()) is not None:
            if not call.future.cancelled():  # else it was before it began: it never happens
                self._hand_on(self._do(call))
            self.tell(self._left_thread)
        self._unsynced.put(None)

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
