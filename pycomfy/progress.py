"""How long work tells how far it is, without knowing who listens: actions report, the CLI or a server renders."""

from types import TracebackType
from typing import Literal, Protocol, Self

from pycomfy.errors import Fixes

Unit = Literal["bytes", "items"]


class Task(Protocol):
    """One running step. Leave it as a context manager: it ends as done, or as failed if an exception passes."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more of the unit is done."""

    def total(self, total: int) -> None:
        """The amount is known by now."""

    def note(self, text: str) -> None:
        """What the step is busy with; at the end, its result. One short line."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    def step(self, title: str, *, total: int | None = None, unit: Unit = "items") -> Task:
        """Begin a step. `title` names it for a person: "Fetch Debian packages"."""

    def report(self, text: str, fixes: Fixes = ()) -> None:
        """A remark that should stay readable after the steps are over, such as a warning, and what mends it."""


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
    """Reports to nobody."""

    def step(self, title: str, *, total: int | None = None, unit: Unit = "items") -> Task:
        return _SilentTask()

    def report(self, text: str, fixes: Fixes = ()) -> None: ...
