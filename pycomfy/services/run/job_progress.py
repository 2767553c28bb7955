"""Show the events of a job as progress: a step for the start of ComfyUI, then one for each node."""

import contextlib
from types import TracebackType
from typing import Self

from pycomfy import operation
from pycomfy.adapters.containers.job_protocol import (
    Advance,
    Done,
    Error,
    Event,
    Executing,
    ImportFailed,
    Log,
    Ready,
    Starting,
)
from pycomfy.adapters.io.log_files import LogFile
from pycomfy.core.sentences import join_lines
from pycomfy.errors import RunFailed
from pycomfy.progress import Task

MAX_STEPS, MAX_REPORTED = 10_000, 50
"""Nodes that are shown, and packs that could not be imported that are reported, of one job."""


class JobProgress:
    """Called with each event of a job. ComfyUI's log goes to `log`; `ready_seconds` is the time until it answered."""

    def __init__(self, log: LogFile) -> None:
        self.ready_seconds = 0.0
        self._log = log
        self._step = contextlib.ExitStack()
        self._task: Task | None = None
        self._done = 0
        self._begun = 0
        self._reported = 0

    def __call__(self, event: Event) -> None:
        match event:
            case Starting():
                self._begin(f"Start ComfyUI on {'the CPU' if event.device == 'cpu' else 'the GPU'}")
            case Log():
                self._log.write_line(event.line)
            case ImportFailed() if self._reported < MAX_REPORTED:
                self._reported += 1
                operation.report(
                    f"warning: the node pack {event.pack} could not be imported: {join_lines(event.message)}"
                )
            case Ready():
                self.ready_seconds = event.seconds
                self._end()
            case Executing():
                self._begin(f"[{event.index}/{event.of}] {event.title}")
            case Advance() if self._task is not None:
                self._task.total(int(event.of))
                self._task.advance(int(event.step) - self._done)
                self._done = int(event.step)
            case Error():
                # The step in which it happened ends as failed; the error itself is raised when the job is over.
                self._step.__exit__(RunFailed, RunFailed(event.message), None)
                self._task = None
            case Done():
                self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._step.__exit__(kind, error, trace)

    def _begin(self, title: str) -> None:
        self._end()
        self._begun += 1
        if self._begun > MAX_STEPS:
            return
        self._done = 0
        self._task = self._step.enter_context(operation.step(title))

    def _end(self) -> None:
        self._step.close()
        self._task = None
