"""Find, start, ask and end the ComfyUIs in reserve that outlive the command that started them.

Each is held by a process of its own (`reserve_process`), in a folder that nobody else can enter: `lock` is locked for
as long as that process lives, however it ends; `about.json` says what it is for, until it is asked; it listens at
`socket`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pycomfy.adapters.containers.image_store import find_folder
from pycomfy.adapters.containers.node_definitions import parse_answer
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.file_locks import exclusive_lock, try_lock
from pycomfy.core.versions.verification import NodeDefinitions
from pycomfy.errors import BadConfig, BadInput, RunFailed
from pycomfy.operation import cancel_scope

RESERVE = "PYCOMFY_RESERVE"
"""The variable that says for how many seconds one waits; 0 for none."""

DEFAULT_IDLE = 900.0

MAX_AT_ONCE = 2
"""How many wait for one data folder; each takes the memory of an idle ComfyUI."""

ABOUT, LOCK, SOCKET, _PID = "about.json", "lock", "socket", "pid"

_PROCESS = "pycomfy.adapters.containers.reserve_process"

_GRACE = 30.0
"""Seconds that one gets to end before it is killed; its container ends with its standard input then."""

_PAUSE = 0.02

_started: list["subprocess.Popen[bytes]"] = []
"""Those that this process started, so that none is left as a zombie of a process that goes on."""


@dataclass(frozen=True)
class About:
    """What one is in reserve for. `key` stands for its environment; `name` is the workflow's, `lock` the text of the
    lock of its image, and `layout` that image. `engine` is the requested container engine, "" for the one that is
    there."""

    key: str
    name: str
    lock: str
    layout: str
    engine: str


@dataclass(frozen=True)
class Waiting:
    """One that waits in a `folder`, since so many seconds after 1970."""

    about: About
    folder: Path
    since: float


class Reserve:
    """The ComfyUIs in reserve of one data folder. They wait for `idle` seconds; with 0 none is started."""

    def __init__(self, data: Path, idle: float) -> None:
        self.data, self.idle = data, idle

    @property
    def folder(self) -> Path:
        """Where they are: in a folder that is this user's alone. Raises `BadConfig` if that is somebody else's,
        `FileNotFoundError` if it is not there."""
        name = hashlib.sha256(os.fsencode(self.data.resolve())).hexdigest()[:16]
        return find_folder(make=False) / "reserve" / name

    def list(self) -> list[Waiting]:
        """Return all that wait, the oldest first."""
        found = (_read(folder) for folder in self._folders())
        return sorted((one for one in found if one is not None), key=lambda one: one.since)

    def find(self, key: str) -> Waiting | None:
        """Return the newest that waits for an environment; None if there is none."""
        return next((one for one in reversed(self.list()) if one.about.key == key), None)

    def start(self, about: About) -> None:
        """Put an image's ComfyUI in reserve, in place of one that is there for another image of that environment.
        Returns before it has started, and before others have ended that were too many."""
        if not self.idle:
            return
        find_folder()
        with exclusive_lock(self.folder / "turn"):
            for folder in self._folders():
                if not _is_held(folder):  # its process was killed
                    shutil.rmtree(folder, ignore_errors=True)
            waiting = self.list()
            if any(one.about == about for one in waiting):
                return
            others = [one for one in waiting if one.about.key != about.key]
            kept = others[max(0, len(others) + 1 - MAX_AT_ONCE) :]
            for one in waiting:
                if one not in kept:
                    _tell_to_end(one.folder)
            self._start(about)

    def ask(
        self, one: Waiting, changed: Mapping[str, Path], removed: Sequence[str], log: Path
    ) -> NodeDefinitions | None:
        """Ask one, as `Spare.ask` does. None if it is gone, or others were faster. Raises `RunFailed` where it cannot
        say."""
        order = {"changed": {name: str(path) for name, path in changed.items()}, "removed": list(removed)}
        answer = _send(one.folder, json.dumps({**order, "log": str(log)}).encode())
        if not answer:
            return None
        try:
            found = json.loads(answer)
            if "error" in found:
                raise RunFailed(str(found["error"]))
            return replace(parse_answer(found), log=str(log))
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise RunFailed("the ComfyUI in reserve ended before it had answered") from e

    def end_all(self) -> int:
        """End all that wait, and wait until their containers are gone. Return how many there were."""
        if not self._folders():
            return 0
        with exclusive_lock(self.folder / "turn"):
            folders, waiting = self._folders(), len(self.list())
            for folder in folders:
                _tell_to_end(folder)
            until = time.monotonic() + _GRACE
            for folder in folders:
                while _is_held(folder) and time.monotonic() < until:
                    cancel_scope().wait(_PAUSE)
                _signal(folder, signal.SIGKILL)
                shutil.rmtree(folder, ignore_errors=True)
        return waiting

    def _folders(self) -> tuple[Path, ...]:
        try:
            return tuple(path for path in self.folder.iterdir() if path.is_dir())
        except (OSError, BadConfig):
            return ()

    def _start(self, about: About) -> None:
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        # -P: nothing in its folder is taken for a module of Python.
        command = [sys.executable, "-P", "-m", _PROCESS, f"{self.idle:g}"]
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            write_file(folder / ABOUT, json.dumps(vars(about)))
            _started[:] = [one for one in _started if one.poll() is None]
            quiet = subprocess.DEVNULL
            # It is born with the lock, so that it is never seen without.
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
            _started.append(process)
            write_file(folder / _PID, str(process.pid))


def read_idle(environment: Mapping[str, str]) -> float:
    """Return for how many seconds a ComfyUI waits in reserve: what `RESERVE` sets; else `DEFAULT_IDLE`, but none where
    `CI` is set, as nobody edits there. Raises `BadInput` for a value that is no number."""
    text = environment.get(RESERVE, "").strip()
    if not text:
        return 0 if environment.get("CI", "").lower() not in ("", "0", "false") else DEFAULT_IDLE
    if not re.fullmatch(r"\d{1,6}", text):
        raise BadInput(
            f'"{text}" is not a number of seconds', where=RESERVE, fix="write a number, 0 for none in reserve"
        )
    return float(text)


def _read(folder: Path) -> Waiting | None:
    """What waits in a folder; None if nothing does, or if it is being asked."""
    try:
        if not _is_held(folder):
            return None
        about = About(**json.loads((folder / ABOUT).read_bytes()))
        return Waiting(about, folder, (folder / ABOUT).stat().st_mtime)
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _is_held(folder: Path) -> bool:
    """Whether the process of a folder lives."""
    try:
        with (folder / LOCK).open() as lock:
            # Shared: who looks is never taken for the process by others who look.
            return not try_lock(lock.fileno(), fcntl.LOCK_SH)
    except OSError:
        return False


def _tell_to_end(folder: Path) -> None:
    (folder / ABOUT).unlink(missing_ok=True)
    _signal(folder, signal.SIGTERM)


def _signal(folder: Path, number: signal.Signals) -> None:
    # While the lock is held, the number is that of the process which holds it.
    if _is_held(folder):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / _PID).read_text()), number)


def _send(folder: Path, line: bytes) -> bytes:
    """Send a line to the process of a folder, and return what comes back; nothing if nobody is there."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        if not _connect(folder, connection):
            return b""
        with cancel_scope().on_cancel(partial(connection.shutdown, socket.SHUT_RDWR)):
            connection.sendall(line + b"\n")
            with connection.makefile("rb") as file:
                answer = file.read()
        cancel_scope().check()
        return answer
    return b""


def _connect(folder: Path, connection: socket.socket) -> bool:
    """Connect to the process of a folder, which may not listen yet; return False if it is gone, or is being asked."""
    while _read(folder) is not None:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), reach(folder) as path:
            connection.connect(path)
            return True
        cancel_scope().wait(_PAUSE)
    return False


@contextlib.contextmanager
def reach(folder: Path) -> Iterator[str]:
    """Give a path of the socket in a folder that is short enough for a socket's address."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}/{SOCKET}"
    finally:
        os.close(number)
