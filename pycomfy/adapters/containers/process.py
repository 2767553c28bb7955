"""Run a container from its start to its removal, whatever happens in between."""

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from pycomfy.adapters.containers.arguments import ContainerSpec, give_to, plan_run, plan_user
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.io import process
from pycomfy.errors import RunFailed
from pycomfy.operation import cancel_scope

MAX_LINE = 16 << 20
"""Bytes of a line; no image of ours writes a longer one."""

GRACE_PERIOD = 20.0
"""Seconds that a container gets to end once its standard input has ended."""


MAX_ERROR = 64 << 10
"""Bytes that are kept of a line of standard error: its end."""


@dataclass(frozen=True)
class Exit:
    """How a container ended: its exit status, and the last lines of standard error."""

    status: int
    errors: str


class ContainerTimeout(RunFailed):
    """The container did not end in time."""


class LineTooLong(RunFailed):
    """The container wrote a line of more than `MAX_LINE` bytes."""


def run_container(
    engine: Engine,
    spec: ContainerSpec,
    request: bytes,
    on_line: Callable[[bytes], None],
    limit: float | None = None,
    *,
    on_error: Callable[[bytes], None] = lambda line: None,
) -> Exit:
    """Start a container, write `request` to its standard input and keep that open, pass every line of its standard
    output to `on_line` and of its standard error to `on_error`, and return how it ended.

    It is stopped and removed before this returns or raises, also on Ctrl-C, SIGTERM and SIGHUP, and when the operation
    is cancelled. Raises `RunFailed` if the engine cannot start it, `ContainerTimeout` after `limit` seconds.
    """
    user = plan_user(engine, os.getuid(), os.getgid())
    name = f"pycomfy-{secrets.token_hex(6)}"
    command = plan_run(engine, spec, name, user)
    give_to(user, spec.data)
    with process.signals_as_exceptions():
        started = _start(command)
        try:
            errors = _exchange(started, request, (on_line, on_error), limit)
            with cancel_scope().on_cancel(started.kill):
                status = started.wait()
        except BaseException:
            _stop(started)
            raise
        finally:
            _remove(engine, name, started)
    if status in (125, 126, 127):
        last = errors.rsplit("\n", 1)[-1] or "no message"
        fix = f"`{engine.kind} run --rm IMAGE health` shows whether any container starts"
        raise RunFailed(f"{engine.kind} could not start the container: {last}", where=errors[-1500:], fix=fix)
    return Exit(status, errors)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the engine in a session of its own: Ctrl-C reaches us alone, and we end the container in order."""
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except FileNotFoundError as e:
        raise process.missing(command[0]) from e


@dataclass
class _Lines:
    """Splits bytes into lines, and passes each to `take`."""

    take: Callable[[bytes], None]
    rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        self.rest += data
        *lines, rest = self.rest.split(b"\n") if b"\n" in data else [self.rest]
        self.rest = bytearray(rest)
        for line in lines:
            self.take(bytes(line))
        if len(self.rest) > MAX_LINE:
            raise LineTooLong(
                f"the container wrote a line of more than {MAX_LINE >> 20} MiB",
                where="standard output",
                fix="run it again",
            )


def _exchange(
    started: subprocess.Popen[bytes],
    request: bytes,
    takers: tuple[Callable[[bytes], None], Callable[[bytes], None]],
    limit: float | None,
) -> str:
    """Write and read until both outputs end; return the last lines of standard error."""
    stdin, stdout, stderr = _pipe(started.stdin), _pipe(started.stdout), _pipe(started.stderr)
    deadline = None if limit is None else time.monotonic() + limit
    errors: deque[bytes] = deque(maxlen=60)
    on_line, on_error = takers

    def keep(line: bytes) -> None:
        errors.append(line[-MAX_ERROR:])
        on_error(line)

    sinks = {stdout: _Lines(on_line), stderr: _Lines(keep)}
    rest = memoryview(request)
    with selectors.DefaultSelector() as selector, _wake_on_cancel() as wake:
        os.set_blocking(stdin.fileno(), False)
        selector.register(stdin, selectors.EVENT_WRITE)
        selector.register(wake, selectors.EVENT_READ)
        for stream in sinks:
            selector.register(stream, selectors.EVENT_READ)
        reading = set(sinks)
        while reading:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise ContainerTimeout(f"the container did not end within {limit:.0f} s")
            for key, _ in selector.select(left):
                cancel_scope().check()
                if key.fileobj is stdin:
                    rest = _write(stdin, rest)
                    if not rest:
                        selector.unregister(stdin)
                    continue
                stream = stdout if key.fileobj is stdout else stderr
                data = os.read(stream.fileno(), 1 << 16)
                if data:
                    sinks[stream].feed(data)
                else:
                    selector.unregister(stream)
                    reading.discard(stream)
    for sink in sinks.values():
        if sink.rest:
            sink.take(bytes(sink.rest))
    return b"\n".join(errors).decode("utf-8", "replace").strip()


@contextlib.contextmanager
def _wake_on_cancel() -> Iterator[int]:
    """Give a file descriptor that becomes readable when the operation is cancelled."""
    read, write = os.pipe()
    try:
        with cancel_scope().on_cancel(lambda: os.write(write, b"\0")):
            yield read
    finally:
        os.close(read)
        os.close(write)


def _write(stdin: IO[bytes], rest: memoryview) -> memoryview:
    """Write what the pipe takes; return the rest, nothing if the reader is gone."""
    try:
        return rest[os.write(stdin.fileno(), rest[: 1 << 16]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[:0]


def _stop(started: subprocess.Popen[bytes]) -> None:
    """Close its standard input, upon which the runtime inside ends, and wait for that."""
    with contextlib.suppress(OSError):
        _pipe(started.stdin).close()
    deadline = time.monotonic() + GRACE_PERIOD
    # Its output is read and dropped: a full pipe would keep it from ending.
    with selectors.DefaultSelector() as selector:
        for stream in (_pipe(started.stdout), _pipe(started.stderr)):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if not os.read(key.fd, 1 << 16):
                    selector.unregister(key.fileobj)
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.wait(max(0.0, deadline - time.monotonic()))


def _remove(engine: Engine, name: str, started: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing is left, neither the container nor the engine's client. Ctrl-C has to wait for this."""
    with process.handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        status = started.poll()
        if status is None or status < 0 or status == 125:
            quiet = subprocess.DEVNULL
            command = engine.command("rm", "--force", "--volumes", name)
            subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=False, start_new_session=True)
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
        for stream in (started.stdin, started.stdout, started.stderr):
            with contextlib.suppress(OSError):
                _pipe(stream).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("all three are pipes")
    return stream
