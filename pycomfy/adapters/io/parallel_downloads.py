"""Download several files at once with one client, their progress told as one."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import Client
from pycomfy.errors import PycomfyError
from pycomfy.operation import cancel_scope
from pycomfy.progress import Task


@dataclass
class Transfer:
    """What all downloads of one call have in common; `total` is the bytes of all, as far as that is known."""

    client: Client
    task: Task
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self, jobs: Mapping[str, Callable[[], None]], at_once: int, fatal: tuple[type[PycomfyError], ...] = ()
    ) -> None:
        """Run the jobs, as `run_concurrently` does; when they are cancelled, their connections are cut."""

        def job(run: Callable[[], None]) -> Callable[[], None]:
            def guarded() -> None:
                with cancel_scope().on_cancel(self.client.cut):
                    run()

            return guarded

        run_concurrently({name: job(run) for name, run in jobs.items()}, at_once=at_once, fatal=fatal)

    def advance(self, amount: int) -> None:
        """Tell that `amount` more bytes are there. Raises `Cancelled` if all are to end."""
        cancel_scope().check()
        with self._lock:
            self.task.advance(amount)

    def expect(self, more: int) -> None:
        """Tell that a size became known."""
        with self._lock:
            self.total += more
            self.task.total(self.total)
