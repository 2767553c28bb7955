"""Start programs: with an argument list, never a shell. A missing one is an error that says how to get it."""

import contextlib
import os
import resource
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from pycomfy.errors import MissingTool
from pycomfy.operation import cancel_scope

INSTALL = {
    "nix": "apt-get install nix-bin (Debian), or the official Nix installer elsewhere",
    "podman": "apt-get install podman runc (Debian), or install Podman or Docker",
    "skopeo": "apt-get install skopeo",
    "git": "apt-get install git",
    "gpgv": "apt-get install gpgv",
}
"""How to get each program pycomfy may start."""


GRACE_PERIOD = 5.0
"""Seconds that a program gets to end after it got the signal."""


def missing(program: str) -> MissingTool:
    """Return the error for a program that is not on PATH."""
    return MissingTool(
        f"{program} is not installed", where="PATH", fix=INSTALL.get(program.split("-")[0], f"install {program}")
    )


@dataclass(frozen=True)
class Limit:
    """What a program may take that reads hostile data: time, bytes of memory, and bytes that it may print."""

    seconds: float
    memory: int = 4 << 30
    output: int = 256 << 20


class PastLimit(Exception):
    """The program took too long, or printed too much; the text says which, as in "it took too long"."""


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    limit: "Limit | None" = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and capture its output; the caller judges the exit status. Relative paths in `command`
    are those of this process, also where the program runs in another folder, `cwd`.

    Raises `MissingTool`, `PastLimit` past the limit's time or output, and `Cancelled` when the operation is cancelled,
    after the program has ended; one that needs more memory than the limit fails. It gets a session of its own, so that
    it ends with all that it started, which would hold its output open.
    """
    arguments = [str(c.absolute() if cwd is not None and isinstance(c, Path) else c) for c in command]
    pipe, scope = subprocess.PIPE, cancel_scope()
    scope.check()
    try:
        process = subprocess.Popen(
            arguments, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
    except FileNotFoundError as e:
        if cwd is not None and not cwd.is_dir():
            raise
        raise missing(arguments[0]) from e
    with process:
        try:
            with scope.on_cancel(partial(terminate, process)):
                output, errors = process.communicate(stdin or b"") if limit is None else _watch(process, stdin, limit)
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def _watch(process: "subprocess.Popen[bytes]", stdin: bytes | None, limit: Limit) -> tuple[bytes, bytes]:
    """Do as `communicate`, within the limit. Raises `PastLimit`; the process is not ended then."""
    assert process.stdin and process.stdout and process.stderr  # noqa: S101  (they are pipes)
    # One that has ended already needs none.
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (limit.memory, limit.memory))
    until, left = time.monotonic() + limit.seconds, memoryview(stdin or b"")
    found = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        for number in found:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready or time.monotonic() > until:
                raise PastLimit("it took too long")
            for key, _ in ready:
                if key.fd in found:
                    part = os.read(key.fd, 1 << 16)
                    found[key.fd] += part
                    if sum(map(len, found.values())) > limit.output:
                        raise PastLimit(f"it printed more than {limit.output >> 20} MiB")
                    if not part:
                        selector.unregister(key.fd)
                    continue
                try:
                    left = left[os.write(key.fd, left[: select.PIPE_BUF]) :]
                except BrokenPipeError:  # it does not read all of it
                    left = left[:0]
                if not left:
                    selector.unregister(process.stdin)
                    process.stdin.close()
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired as e:
        raise PastLimit("it took too long") from e
    output, errors = map(bytes, found.values())
    return output, errors


def terminate(process: "subprocess.Popen[Any]", number: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process that leads a session to end, with all that it started; kill it if it does not. Returns at once:
    whoever waits for the process goes on waiting."""
    _signal_all(process, number)
    timer = threading.Timer(GRACE_PERIOD, _signal_all, (process, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, wait, and kill it if it does not. What it still prints is lost."""
    _signal_all(process, signal.SIGTERM)
    for stream in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    try:
        process.wait(GRACE_PERIOD)
    except subprocess.TimeoutExpired:
        _signal_all(process, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_PERIOD)


def _signal_all(process: "subprocess.Popen[Any]", number: signal.Signals) -> None:
    # The number of one that was waited for may be another process's by now.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


@contextlib.contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP unwind the stack. One that is ignored, as under nohup, stays ignored.
    Does nothing outside the main thread."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with handling(unwind, *(n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN)):
        yield


@contextlib.contextmanager
def handling(handler: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: int) -> Iterator[None]:
    """Let `handler` have these signals while the block runs. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
