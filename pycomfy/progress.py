"""Define how an operation reports its progress, whatever renders it: the command line or a server."""

from types import TracebackType
from typing import Literal, Protocol, Self

from pycomfy.errors import Fixes

Unit = Literal["bytes", "items"]


class Task(Protocol):
    """A running step, as a context manager: it ends as done, or as failed if an exception passes."""

    def advance(self, amount: int = 1) -> None:
        """Add `amount` of the unit to what is done."""

    def total(self, total: int) -> None:
        """Set the total amount, which was not known at the beginning."""

    def note(self, text: str) -> None:
        """Say what the step is doing; at the end, its result. One short line."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    """What hears of the steps and remarks of an operation."""

    def step(self, title: str, *, total: int | None = None, unit: Unit = "items") -> Task:
        """Begin a step. `title` names it for a person: "Fetch Debian packages"."""

    def report(self, text: str, fixes: Fixes = ()) -> None:
        """Make a remark that stays readable after the steps are over, such as a warning, with its fixes."""


class _SilentTask:
    def advance(self, amount: int = 1) -> None: ...
    def total(self, total: int) -> None: ...
    def note(self, text: str) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Silent:
    """Progress that is not shown."""

    def step(self, title: str, *, total: int | None = None, unit: Unit = "items") -> Task:
        return _SilentTask()

    def report(self, text: str, fixes: Fixes = ()) -> None: ...
