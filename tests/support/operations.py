"""Operations whose progress a test looks at, and operations in threads of their own."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from pycomfy.errors import Fixes, list_fixes
from pycomfy.operation import Operation
from pycomfy.progress import Task


@dataclass
class Recorder:
    """Remembers the titles of steps as they began, the last notes of those that ended well, and all remarks. `amounts`
    are how much of each step was done, and its total; `notes` are all notes."""

    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    amounts: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def step(self, title: str, *, total: int | None = None, **more: object) -> Task:
        self.begun.append(title)
        self.amounts[title] = 0, total
        return _Step(self, title)

    def report(self, text: str, fixes: Fixes = ()) -> None:
        self.remarks.append("; or ".join([text, *map(str, list_fixes(fixes))]))


class _Step:
    def __init__(self, recorder: Recorder, title: str) -> None:
        self._recorder, self._title, self._note = recorder, title, ""

    def advance(self, amount: int = 1) -> None:
        done, total = self._recorder.amounts[self._title]
        self._recorder.amounts[self._title] = done + amount, total

    def total(self, total: int) -> None:
        self._recorder.amounts[self._title] = self._recorder.amounts[self._title][0], total

    def note(self, text: str) -> None:
        self._note = text
        self._recorder.notes.append(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._recorder.done.append(self._note)


@contextlib.contextmanager
def listening() -> Iterator[Recorder]:
    """An operation of its own while the block runs."""
    recorder = Recorder()
    with Operation(recorder).running():
        yield recorder


class Worker(threading.Thread):
    """An operation in a thread of its own; `outcome` is what it returned or raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.operation, self.work = Operation(Recorder()), work
        self.outcome: object = None
        self.start()

    def run(self) -> None:
        with self.operation.running():
            try:
                self.outcome = self.work()
            except BaseException as e:  # noqa: BLE001  (it is what the test looks at)
                self.outcome = e
