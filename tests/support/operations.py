"""Operations whose progress a test looks at."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from pycomfy.errors import Fixes, list_fixes
from pycomfy.operation import Operation
from pycomfy.progress import Task


@dataclass
class Recorder:
    """Remembers the titles of steps as they began, the last notes of those that ended well, and all remarks."""

    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def step(self, title: str, **more: object) -> Task:
        self.begun.append(title)
        return _Step(self)

    def report(self, text: str, fixes: Fixes = ()) -> None:
        self.remarks.append("; or ".join([text, *map(str, list_fixes(fixes))]))


class _Step:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._note = recorder, ""

    def advance(self, amount: int = 1) -> None: ...
    def total(self, total: int) -> None: ...
    def note(self, text: str) -> None:
        self._note = text

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
