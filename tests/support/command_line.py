"""Call the command line in this process, just as the executable calls it.

Starting Python and importing everything takes longer than most commands. Where no process is the point of a test (a
signal, a full standard output, a umask, a namespace), it uses `call`: that is `pycomfy.cli.main.main` with arguments,
environment, working directory and streams of its own, so exit statuses and error output are the real ones.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from pycomfy.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """Standard error in one line."""
        return " ".join(self.err.split())

    def json(self) -> Any:
        return json.loads(self.out)


def call(*arguments: object, cwd: Path, env: Mapping[str, str]) -> Outcome:
    """Run `pycomfy` with these arguments in `cwd`. `env` is its whole environment; all is put back afterwards."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    status: object = 0
    with Path(os.devnull).open() as nothing, contextlib.ExitStack() as stack:
        stack.enter_context(_environment(env))
        stack.enter_context(contextlib.chdir(cwd))
        for name, value in {
            "argv": ["pycomfy", *map(str, arguments)],
            "stdin": nothing,
            "stdout": out,
            "stderr": err,
        }.items():
            stack.enter_context(mock.patch.object(sys, name, value))
        try:
            main()
        except SystemExit as e:
            status = e.code
    assert status is None or isinstance(status, int), status
    return Outcome(status or 0, _text(out), _text(err))


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """`env` in the place of this process's environment, and of what `tempfile` concluded from it."""
    with mock.patch.dict(os.environ, env, clear=True), mock.patch.object(tempfile, "tempdir", None):
        yield


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
