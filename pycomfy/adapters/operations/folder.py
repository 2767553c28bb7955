"""Run a command of pycomfy as a process of its own, which outlives the server that started it.

What it prints goes to files, so that nobody has to be there to read it. The process holds a lock (flock) that it was
born with: the kernel lets go of it however the process ends. So whether an operation runs is never a matter of belief,
nor of a process number that may be another's by now.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pycomfy.adapters.io.atomic_files import translate_disk_full, write_file
from pycomfy.adapters.io.file_locks import try_lock
from pycomfy.core.loose_json import as_list

MAX_RESULT = 64 << 20
"""Bytes of a result that are read."""

PATIENCE = 20.0
"""Seconds that a cancelled command gets to tidy up."""


class Position(NamedTuple):
    """A place in what was printed: so many lines, and bytes, come before it."""

    lines: int
    offset: int


@dataclass(frozen=True)
class OperationFolder:
    """The folder of one operation: `events.jsonl` is what it printed on standard error, `result.json` its result."""

    path: Path

    @property
    def events(self) -> Path:
        """What it says while it runs, an event a line."""
        return self.path / "events.jsonl"

    @property
    def outputs(self) -> Path:
        """Where a run saves its files."""
        return self.path / "outputs"

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    @property
    def _command(self) -> Path:
        return self.path / "command.json"

    @property
    def _pid(self) -> Path:
        return self.path / "pid"

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Callable[[], int]:
        """Start pycomfy with these arguments; what is returned waits for its exit status. Raises `NoSpace`."""
        # -P: nothing in `cwd` is taken for a module of Python.
        command = [sys.executable, "-P", "-m", "pycomfy", *arguments]
        with (
            translate_disk_full(self.path),
            self._lock.open("a") as lock,
            self.events.open("ab") as events,
            (self.path / "result.json").open("wb") as result,
        ):
            if not try_lock(lock.fileno(), fcntl.LOCK_EX):
                raise RuntimeError(f"{self.path} runs already")
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**environment, "PYCOMFY_PROGRESS": "json"},
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=events,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
            write_file(self._pid, str(process.pid))
            write_file(self._command, json.dumps(list(arguments)))
            return process.wait

    def create(self) -> None:
        """Make the folder. Raises `NoSpace`."""
        with translate_disk_full(self.path):
            self.path.mkdir(parents=True)
            self.events.touch()

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        try:
            with self._lock.open("a") as lock:
                return not try_lock(lock.fileno(), fcntl.LOCK_EX)
        except FileNotFoundError:
            return False

    def wait(self) -> None:
        """Return once its process has ended."""
        with contextlib.suppress(FileNotFoundError), self._lock.open("a") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)

    def cancel(self) -> None:
        """Ask its process to end, as Ctrl-C does; end it with all that it started if it does not. Returns at once."""
        self._signal(signal.SIGINT)
        threading.Thread(target=self._kill_later, daemon=True).start()

    def _kill_later(self) -> None:
        until = time.monotonic() + PATIENCE
        while self.is_running and time.monotonic() < until:
            time.sleep(0.2)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # While the lock is held, the number is that of the process which holds it.
        if self.is_running:
            with contextlib.suppress(OSError, ValueError):
                pid = int(self._pid.read_text())
                (os.kill if number == signal.SIGINT else os.killpg)(pid, number)

    def read_command(self) -> list[str]:
        """Return the arguments with which its command was started; none of one that was not."""
        try:
            found = json.loads(self._command.read_bytes())
        except (OSError, ValueError, RecursionError):
            return []
        return [str(word) for word in as_list(found)]

    def read_result(self) -> object:
        """Return what it printed on standard output; None if that is no JSON, as when it was killed."""
        try:
            with (self.path / "result.json").open("rb") as file:
                data = file.read(MAX_RESULT + 1)
            return None if len(data) > MAX_RESULT else json.loads(data)
        except (OSError, ValueError, RecursionError):
            return None

    def find_position(self, after: int) -> Position:
        """Return where the lines begin that come after the first `after`."""
        try:
            with self.events.open("rb") as file:
                offset = lines = 0
                for line in islice(file, after):
                    if line.endswith(b"\n"):
                        offset, lines = offset + len(line), lines + 1
        except FileNotFoundError:
            return Position(0, 0)
        return Position(lines, offset)

    def read_lines(self, position: Position, limit: int) -> tuple[list[str], Position]:
        """Return the next whole lines that it printed, at most `limit`, and where those end."""
        found: list[str] = []
        try:
            with self.events.open("rb") as file:
                file.seek(position.offset)
                for line in islice(file, limit):
                    if line.endswith(b"\n"):
                        found.append(line.decode(errors="replace").rstrip("\n"))
                        position = Position(position.lines + 1, position.offset + len(line))
        except FileNotFoundError:
            pass
        return found, position

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
