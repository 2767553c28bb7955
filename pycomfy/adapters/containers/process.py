"""Run a container from its start to its removal, whatever happens in between."""

import contextlib
import functools
import os
import re
import secrets
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from pycomfy import operation
from pycomfy.adapters.containers.arguments import ContainerSpec, give_to, plan_run, plan_user
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.gpus import explain_missing_gpus, inspect_gpus
from pycomfy.adapters.io import process
from pycomfy.adapters.io.atomic_files import free_files, free_space, no_space, says_disk_is_full
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.errors import NoSpace, Placeholder, RunFailed, suggest, suggest_retry
from pycomfy.operation import Cancelled, cancel_scope

KILLED = 137
"""The exit status of a container whose first process got SIGKILL."""

MAX_LINE = 16 << 20
"""Bytes of a line; no image of ours writes a longer one."""

GRACE_PERIOD = 20.0
"""Seconds that a container gets to end once its standard input has ended."""

WATCH_INTERVAL = 1.0
"""Seconds between two looks at what is free on the disk."""

KEEP_FILES = 10_000
"""How many files (inodes) more a disk has room for when a container that makes them is ended."""

_FULLER = suggest_retry("run", "how much has to stay free on that disk", keep_free=Placeholder("SIZE"))
_FEWER_FILES = (
    "let the workflow make fewer files",
    "remove files from that disk, or set PYCOMFY_HOME to a folder on another one",
    suggest_retry("run", "to look at neither space nor files", keep_free="0"),
)

MAX_ERROR = 64 << 10
"""Bytes that are kept of a line of standard error: its end."""


@dataclass(frozen=True)
class Exit:
    """How a container ended: its exit status, the last lines of standard error, and whether its memory was used up, as
    far as the engine says so."""

    status: int
    errors: str
    out_of_memory: bool = False


class ContainerTimeout(RunFailed):
    """The container did not end in time."""


class LineTooLong(RunFailed):
    """The container wrote a line of more than `MAX_LINE` bytes."""


def _refuse_long_line() -> None:
    raise LineTooLong(
        f"the container wrote a line of more than {MAX_LINE >> 20} MiB", where="standard output", fix="run it again"
    )


@dataclass(frozen=True)
class LineLimit:
    """How long a line may be, `size` in bytes, and what is called for a longer one, of which nothing is passed on."""

    size: int = MAX_LINE
    on_longer: Callable[[], None] = _refuse_long_line


_LINE_LIMIT = LineLimit()

_CGROUP = re.compile(r"cgroup|memory\.(max|limit)|pids\.max|pids limit", re.IGNORECASE)
"""In what an engine says that cannot set limits, as in a container without a hierarchy of its own."""

_NO_GPUS = re.compile(r"could not select device driver|unresolvable CDI devices|CDI device injection failed")
"""In what an engine says that cannot give a container GPUs."""


def run_container(
    engine: Engine,
    spec: ContainerSpec,
    request: bytes,
    on_line: Callable[[bytes], None],
    limit: float | None = None,
    *,
    on_error: Callable[[bytes], None] = lambda line: None,
    line_limit: LineLimit = _LINE_LIMIT,
) -> Exit:
    """Start a container, write `request` to its standard input and keep that open, pass every line of its standard
    output to `on_line` and of its standard error to `on_error`, and return how it ended.

    It is stopped and removed before this returns or raises, also on Ctrl-C, SIGTERM and SIGHUP, and when the operation
    is cancelled; what it writes until then is passed on, too. Raises `RunFailed` if the engine cannot start it,
    `MissingTool` if it cannot give it GPUs, `ContainerTimeout` after `limit` seconds, `NoSpace` when less is free on
    the disk of `spec.data` than its limits say, or hardly a file more can be made there. Where the engine cannot limit
    memory or processes, that is reported, and the container runs without.
    """
    _report_missing_limits(engine)
    try:
        return _run(engine, spec, request, (on_line, on_error), limit, line_limit)
    except _LimitsRefused:
        engine = replace(engine, limits_memory=False, limits_pids=False)
        _report_missing_limits(engine)
        return _run(engine, spec, request, (on_line, on_error), limit, line_limit)


class _LimitsRefused(RunFailed):
    """The engine did not start the container because it cannot set its limits."""


@functools.cache
def _report_missing_limits(engine: Engine) -> None:
    """Report, once for a process, that a container can take all of the machine."""
    missing = [what for what, there in _limits_of(engine) if not there]
    if missing:
        operation.report(
            f"warning: {engine.kind} cannot limit {' and '.join(missing)} here: a node pack can use up the machine's"
        )


def _limits_of(engine: Engine) -> tuple[tuple[str, bool], ...]:
    return ("memory", engine.limits_memory), ("processes", engine.limits_pids)


def _run(
    engine: Engine,
    spec: ContainerSpec,
    request: bytes,
    takers: tuple[Callable[[bytes], None], Callable[[bytes], None]],
    limit: float | None,
    line_limit: LineLimit,
) -> Exit:
    user = plan_user(engine, os.getuid(), os.getgid())
    name = f"pycomfy-{secrets.token_hex(6)}"
    command = plan_run(engine, spec, name, user)
    for mine in (spec.data, *([spec.shared] if spec.shared is not None else [])):
        give_to(user, mine)
    # Conmon leaves a file `oom` where Podman was started, if the container's memory was used up.
    with process.signals_as_exceptions(), scratch_folder() as folder:
        started = _start(command, str(folder), spec.held)
        errors: deque[bytes] = deque(maxlen=60)
        on_line, on_error = takers

        def keep(line: bytes) -> None:
            errors.append(line[-MAX_ERROR:])
            on_error(line)

        sinks = {
            _pipe(started.stdout): _Lines(on_line, line_limit),
            # ComfyUI's own words, which may be of any length.
            _pipe(started.stderr): _Lines(keep, LineLimit(on_longer=lambda: None)),
        }
        try:
            _exchange(started, request, sinks, limit, _watch_disk(spec.data, spec.limits.keep_free))
            with cancel_scope().on_cancel(started.kill):
                status = started.wait()
        except BaseException:
            grace = GRACE_PERIOD if spec.grace is None else spec.grace
            if not _stop(started, sinks, grace):
                # There may be no terminal any more.
                with contextlib.suppress(OSError, ValueError):
                    operation.report(f"warning: the container did not end within {grace:.0f} s, and was killed")
            raise
        finally:
            _remove(engine, name, started)
        out_of_memory = Path(folder, "oom").exists()
    text = b"\n".join(errors).decode("utf-8", "replace").strip()
    if status in (125, 126, 127):
        if (engine.limits_memory or engine.limits_pids) and _CGROUP.search(text):
            raise _LimitsRefused(f"{engine.kind} cannot set limits: {text[-1500:]}")
        if says_disk_is_full(text):
            fixes = (suggest("gc", loaded=True), f"`{engine.kind} image prune`")
            raise NoSpace(f"{engine.kind} has no space for the container", details=text[-1500:], fix=fixes)
        if spec.gpus and _NO_GPUS.search(text):
            raise explain_missing_gpus(engine, inspect_gpus())
        last = text.rsplit("\n", 1)[-1] or "no message"
        fix = f"`{engine.kind} run --rm IMAGE health` shows whether any container starts"
        raise RunFailed(f"{engine.kind} could not start the container: {last}", details=text[-1500:], fix=fix)
    return Exit(status, text, out_of_memory)


def _watch_disk(folder: Path, keep_free: int) -> Callable[[], None]:
    """Return what raises `NoSpace` when less than `keep_free` bytes are free on the folder's disk, or room for less
    than `KEEP_FILES` files, or less than half of what there is now. With `keep_free` 0 neither is looked at."""
    least = min(keep_free, free_space(folder) // 2)
    fewest = min(KEEP_FILES, (free_files(folder) or 0) // 2) if keep_free else 0

    def watch() -> None:
        if free_space(folder) < least:
            error = no_space(folder)
            error.what = f"the container was ended: {error.what}"
            error.fixes = (*error.fixes, _FULLER)
            raise error
        files = free_files(folder)
        if files is not None and files < fewest:
            what = f"the container was ended: it made so many files that the disk has room for only {files} more"
            raise NoSpace(what, where=str(folder), fix=_FEWER_FILES)

    return watch


def _start(command: list[str], folder: str, held: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start the engine in `folder`, and in a session of its own: Ctrl-C reaches us alone, and we end the container in
    order."""
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, start_new_session=True, pass_fds=held
        )
    except FileNotFoundError as e:
        raise process.missing(command[0]) from e


@dataclass
class _Lines:
    """Splits bytes into lines, and passes each to `take`."""

    take: Callable[[bytes], None]
    limit: LineLimit
    rest: bytearray = field(default_factory=bytearray)
    _skipping: bool = False

    def feed(self, data: bytes) -> None:
        first, *more = data.split(b"\n")
        self._add(first)
        for part in more:
            self.end()
            self._add(part)

    def end(self) -> None:
        """A line is over."""
        line, skipped = bytes(self.rest), self._skipping
        self.rest, self._skipping = bytearray(), False
        if not skipped:
            self.take(line)

    def _add(self, part: bytes) -> None:
        if self._skipping:
            return
        self.rest += part
        if len(self.rest) > self.limit.size:
            self.rest, self._skipping = bytearray(), True
            self.limit.on_longer()


def _exchange(
    started: subprocess.Popen[bytes],
    request: bytes,
    sinks: dict[IO[bytes], _Lines],
    limit: float | None,
    watch: Callable[[], None],
) -> None:
    """Write and read until both outputs end."""
    stdin = _pipe(started.stdin)
    now = time.monotonic()
    deadline, next_look = None if limit is None else now + limit, now + WATCH_INTERVAL
    rest = memoryview(request)
    with selectors.DefaultSelector() as selector, _wake_on_cancel() as wake:
        os.set_blocking(stdin.fileno(), False)
        selector.register(stdin, selectors.EVENT_WRITE)
        selector.register(wake, selectors.EVENT_READ)
        for stream in sinks:
            selector.register(stream, selectors.EVENT_READ)
        reading = set(sinks)
        while reading:
            now = time.monotonic()
            if deadline is not None and deadline <= now:
                raise ContainerTimeout(f"the container did not end within {limit:.0f} s")
            if next_look <= now:
                watch()
                next_look = now + WATCH_INTERVAL
            for key, _ in selector.select(next_look - now if deadline is None else min(next_look, deadline) - now):
                cancel_scope().check()
                if key.fileobj is stdin:
                    rest = _write(stdin, rest)
                    if not rest:
                        selector.unregister(stdin)
                    continue
                stream = next(stream for stream in sinks if stream is key.fileobj)
                data = os.read(stream.fileno(), 1 << 16)
                if data:
                    sinks[stream].feed(data)
                else:
                    selector.unregister(stream)
                    reading.discard(stream)
    for sink in sinks.values():
        if sink.rest:
            sink.end()


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


def _stop(started: subprocess.Popen[bytes], sinks: dict[IO[bytes], _Lines], grace: float) -> bool:
    """Close its standard input, upon which the runtime inside ends, and wait for that; return whether it did."""
    with contextlib.suppress(OSError):
        _pipe(started.stdin).close()
    deadline = time.monotonic() + grace
    # A full pipe would keep it from ending; and it says what it leaves.
    with selectors.DefaultSelector() as selector:
        for stream, sink in sinks.items():
            selector.register(stream, selectors.EVENT_READ, sink)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                # Why it is stopped is known already.
                with contextlib.suppress(Exception, Cancelled):
                    key.data.feed(data)
    try:
        started.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


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
