"""Several downloads at once: failures are told together; all end when one cannot go on or the user wants to leave."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from pycomfy.adapters.io.cancellation import stoppable
from pycomfy.adapters.io.http_client import Client, Stopped
from pycomfy.errors import PycomfyError, raise_all
from pycomfy.progress import Task


@dataclass
class Transfer:
    """What all downloads of one call have in common; `total` is the bytes of all, as far as that is known."""

    client: Client
    task: Task
    total: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, jobs: Sequence[Callable[[], None]], at_once: int, fatal: tuple[type[PycomfyError], ...] = ()) -> None:
        """Run the jobs, so many at once. What they raise is raised when all are done, in the order of the jobs; an
        error of the kinds `fatal`, and any that no user can mend, ends the others and is raised at once."""
        problems: dict[int, PycomfyError] = {}
        with stoppable(self.stop.set), ThreadPoolExecutor(min(at_once, len(jobs))) as pool:
            futures = {pool.submit(job): number for number, job in enumerate(jobs)}
            try:
                for future in as_completed(futures):
                    try:
                        future.result()
                    except fatal:
                        raise
                    except PycomfyError as e:
                        problems[futures[future]] = e
            except BaseException:
                self.stop.set()
                self.client.cut()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        raise_all([problems[number] for number in sorted(problems)])

    def advance(self, amount: int) -> None:
        """So many bytes more are there. Raises `Stopped` if all are to end."""
        if self.stop.is_set():
            raise Stopped
        with self._lock:
            self.task.advance(amount)

    def expect(self, more: int) -> None:
        """A size became known."""
        with self._lock:
            self.total += more
            self.task.total(self.total)

    def pause(self, seconds: float) -> None:
        """Wait. Raises `Stopped` if all are to end."""
        if self.stop.wait(seconds):
            raise Stopped
