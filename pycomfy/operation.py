"""Hold what belongs to one operation: its progress, its cancellation, and who answers its questions.

An operation is one use case that somebody started: a command, a request to the server. Many run in one process. The
current one is a context variable, so that no function hands it on; threads that `adapters.io.concurrency` starts
inherit it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from pycomfy.errors import Fixes, PycomfyError
from pycomfy.progress import Progress, Silent, Task, Unit


class Cancelled(BaseException):
    """Raised in an operation that was cancelled. Not an `Exception`, so that no handler takes it for a failure."""


class CancelScope:
    """What can be cancelled together. Cancelling a scope cancels those that were opened in it, and no other."""

    def __init__(self) -> None:
        # A thread that is interrupted while it has it may cancel, too.
        self._lock = threading.RLock()
        self._callbacks: dict[object, Callable[[], object]] = {}
        self._event = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """End every program and download that threads of the scope wait for; they raise `Cancelled`. Call it from any
        thread."""
        # With the lock, so that no block ends, and gives up what a callback acts on, before that is called: the number
        # of a closed file is that of another one soon.
        with self._lock, contextlib.ExitStack() as calls:
            self._event.set()
            for callback in self._callbacks.values():
                calls.callback(callback)

    def check(self) -> None:
        """Raise `Cancelled` if the scope was cancelled."""
        if self.cancelled:
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`. Raise `Cancelled` as soon as the scope is cancelled."""
        if self._event.wait(seconds):
            raise Cancelled

    @contextlib.contextmanager
    def on_cancel(self, callback: Callable[[], object]) -> Iterator[None]:
        """Let `cancel` call `callback`, which must end the block soon, while the block runs. The block's end waits for
        a call that has begun, so a callback waits for nothing. If the scope was cancelled, raise `Cancelled` at the
        end, also in place of an error that the callback caused."""
        key = object()
        with self._lock:
            if self._event.is_set():
                raise Cancelled
            self._callbacks[key] = callback
        try:
            yield
        except Exception as e:
            if self.cancelled:
                raise Cancelled from e
            raise
        finally:
            with self._lock:
                del self._callbacks[key]
        self.check()


@dataclass(frozen=True)
class Option:
    """One of the answers to a question. Both texts are plain, and may come from the network."""

    label: str
    description: str = ""


@dataclass(frozen=True)
class Question:
    """A question to whoever started the operation: which of the `options`, or none. `subject` is what it is about,
    `reason` why it cannot be decided without asking."""

    subject: str
    text: str
    reason: str
    options: tuple[Option, ...]


Ask = Callable[[Question], int | None]
"""Return the index of the chosen option, None for none of them."""


@dataclass(frozen=True)
class DryRun:
    """Work on a copy, in the folder `scratch`, which is removed: nothing else is written, but in `kept`, a cache.
    `copies` are folders there with the folders that they are copies of."""

    scratch: Path
    kept: Path | None = None
    copies: Mapping[Path, Path] = field(default_factory=dict)

    def discards(self, path: Path) -> bool:
        """Return whether what is written to `path` is thrown away without being written there."""
        written = (self.scratch,) if self.kept is None else (self.scratch, self.kept)
        return not any(path.absolute().is_relative_to(folder) for folder in written)

    def name_originals(self, text: str) -> str:
        """Return the text with the original's path in the place of each copy's: the copy is gone when it is read."""
        for copy, original in self.copies.items():
            text = text.replace(str(copy), str(original))
        return text


@dataclass(frozen=True)
class Operation:
    """One use case that runs. `ask` is None where there is nobody to ask. `dry` says how a dry run works, None for an
    operation that is no dry run. `errors` did not end it, but its result lacks something."""

    progress: Progress = field(default_factory=Silent)
    cancel_scope: CancelScope = field(default_factory=CancelScope)
    ask: Ask | None = None
    dry: "DryRun | None" = None
    errors: list[PycomfyError] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator["Operation"]:
        """Make this the current operation while the block runs, in this thread and in those that it starts."""
        token = _operation.set(self)
        scope = _scope.set(self.cancel_scope)
        try:
            yield self
        finally:
            _scope.reset(scope)
            _operation.reset(token)


_DEFAULT = Operation()
_operation: ContextVar[Operation] = ContextVar("operation", default=_DEFAULT)
_scope: ContextVar[CancelScope] = ContextVar("cancel_scope", default=_DEFAULT.cancel_scope)


def current() -> Operation:
    """Return the running operation; a silent one that is never cancelled if none was started."""
    return _operation.get()


def is_dry_run() -> bool:
    """Return whether nothing is to be changed: a long work may then be left out."""
    return current().dry is not None


def original(path: Path) -> Path:
    """Return the path that this one is the copy of, in a dry run; else the path itself."""
    dry = current().dry
    return path if dry is None else Path(dry.name_originals(str(path)))


def scratch() -> Path | None:
    """Return the folder in which a dry run works; None if this is none."""
    dry = current().dry
    return None if dry is None else dry.scratch


def discards(path: Path) -> bool:
    """Return whether this is a dry run, and what it writes to `path` is to be thrown away."""
    dry = current().dry
    return dry is not None and dry.discards(path)


def cancel_scope() -> CancelScope:
    """Return the innermost scope in which this runs."""
    return _scope.get()


@contextlib.contextmanager
def open_cancel_scope() -> Iterator[CancelScope]:
    """Open a scope within the current one, for threads that have to end together."""
    outer, inner = _scope.get(), CancelScope()
    with outer.on_cancel(inner.cancel):
        token = _scope.set(inner)
        try:
            yield inner
        finally:
            _scope.reset(token)


@contextlib.contextmanager
def shield() -> Iterator[None]:
    """Let the block, which tidies up, run to its end even if the operation was or is cancelled."""
    token = _scope.set(CancelScope())
    try:
        yield
    finally:
        _scope.reset(token)


class _CancellableTask:
    """A step whose progress raises `Cancelled` in a thread whose scope was cancelled."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def advance(self, amount: int = 1) -> None:
        cancel_scope().check()
        self._task.advance(amount)

    def total(self, total: int) -> None:
        self._task.total(total)

    def note(self, text: str) -> None:
        self._task.note(text)

    def __enter__(self) -> Self:
        self._task.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.__exit__(kind, error, trace)


def step(title: str, *, total: int | None = None, unit: Unit = "items") -> Task:
    """Begin a step of the current operation. `title` names it for a person: "Fetch Debian packages". Reporting its
    progress raises `Cancelled` once the operation is cancelled, so that every long loop ends."""
    return _CancellableTask(current().progress.step(title, total=total, unit=unit))


def report(text: str, fixes: Fixes = ()) -> None:
    """Make a remark that stays readable after the steps are over, such as a warning, with its fixes."""
    dry = current().dry
    current().progress.report(text if dry is None else dry.name_originals(text), fixes)


def report_error(error: PycomfyError) -> None:
    """Report an error that does not end the operation, once: its result is what can be had all the same."""
    known = current().errors
    if all(str(error) != str(one) for one in known):
        if current() is not _DEFAULT:
            known.append(error)
        where = f" ({error.where})" if error.where else ""
        report(f"error: {error.what}{where}", error.fixes)
